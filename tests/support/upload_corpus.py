"""Files that may be uploaded: what each is, and what has to come of it. `docs/trust.md` shows this table."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import image_bytes as made
import numpy as np
from image_bytes import apng, chunk, encoded, exif, header, plain_png, png, with_segment
from PIL import Image

from afa_viz.image_files import MAX_BYTES, MAX_MB

H, W = 48, 64
ROWS, COLS = np.mgrid[:H, :W]
BASE = np.stack([4 * COLS, 5 * ROWS, 200 - COLS - ROWS], axis=2).astype(np.uint8)  # smooth, and no turn of it is itself
OTHER = 255 - BASE
GREY = BASE[..., 0]
CLEAR = np.where(COLS < 32, 255, 0).astype(np.uint8)  # opaque on the left
ON_WHITE = np.where(CLEAR[..., None] > 0, BASE, 255).astype(np.uint8)
LOSSY = 4.0  # mean difference that a lossy encoder may leave on smooth pixels, of 255
PEAK_MB = 300  # of memory above what a server holds, while any of these is read
STILL = "is damaged or of no known format"
DAMAGED = "is damaged and cannot be read"


@dataclass(frozen=True)
class Upload:
    """One file.

    Attributes:
        name: as it is uploaded. given: what it is, in words. make: its bytes.
        shows: the pixels that must be explained, or None where it must be refused. off: mean difference allowed.
        refused: part of the sentence.
    """

    name: str
    given: str
    make: Callable[[], bytes]
    shows: np.ndarray | None = None
    off: float = 0.0
    refused: str = ""


def three(grey: np.ndarray) -> np.ndarray:
    """Grey levels as RGB."""
    return np.repeat(grey[..., None], 3, axis=2)


def good(name: str, given: str, make: Callable[[], bytes], shows: np.ndarray = BASE, off: float = 0.0) -> Upload:
    return Upload(name, given, make, shows, off)


def bad(name: str, given: str, make: Callable[[], bytes], refused: str = STILL) -> Upload:
    return Upload(name, given, make, refused=refused)


def deep(levels: np.ndarray) -> np.ndarray:
    """8-bit levels as 16 bits, with something in the low byte."""
    return levels.astype(np.uint16) * 257 + 100


def orientations() -> list[Upload]:
    """The camera held in every way; each row undoes what the note says."""
    stored = {  # what lies in the file, so that it is upright again after the turn of its note
        1: BASE, 2: BASE[:, ::-1], 3: BASE[::-1, ::-1], 4: BASE[::-1], 5: BASE.transpose(1, 0, 2),
        6: np.rot90(BASE, 1), 7: BASE[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(BASE, -1),
    }  # fmt: skip

    def row(kind: str, number: int) -> Upload:
        pixels = np.ascontiguousarray(stored[number])
        how = {"quality": 95} if kind == "JPEG" else {"lossless": True}
        make = lambda: encoded(pixels, kind, exif=exif(number), **how)  # noqa: E731
        name = f"turned_{number}.{kind.lower()}"
        return good(name, f"{kind} with EXIF orientation {number}", make, off=LOSSY if kind == "JPEG" else 0)

    return [row("JPEG", number) for number in stored] + [row("WEBP", 6)]


def archive(inner: bytes = b"hello") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("photo.png", inner)
    return file.getvalue()


def jpeg(image: Image.Image | np.ndarray = BASE, **how) -> bytes:
    return encoded(image, "JPEG", **{"quality": 95, **how})


def corrupt_text(kind: bytes) -> bytes:
    """A text that is 100 MB once it is unpacked."""
    packed = zlib.compress(bytes(100 * 2**20), 9)
    data = b"Comment\0\0" + packed if kind != b"iTXt" else b"Comment\0\1\0\0\0" + packed
    return png(BASE, before=chunk(kind, data))


def bits(depth: int) -> np.ndarray:
    """Grey levels or places of a palette that a depth can hold."""
    return GREY >> (8 - depth)


def table(depth: int) -> bytes:
    """A palette of greys."""
    return chunk(b"PLTE", bytes(v for i in range(2**depth) for v in 3 * [i * 255 // (2**depth - 1)]))


def greys(depth: int) -> np.ndarray:
    return three((bits(depth).astype(int) * 255 // (2**depth - 1)).astype(np.uint8))


WHOLE = png(BASE)
FRAMES = [Image.fromarray(BASE), Image.fromarray(OTHER)]
NOISE = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
RGBA = np.dstack([BASE, CLEAR])

PNG = [
    good("rgb.png", "8-bit RGB", lambda: WHOLE),
    good("grey.png", "8-bit grey", lambda: encoded(GREY, "PNG"), three(GREY)),
    *[good(f"grey_{d}.png", f"{d}-bit grey", lambda d=d: png(bits(d), d, made.GREY), greys(d), 1.0) for d in (1, 2, 4)],
    *[good(f"palette_{d}.png", f"palette of {2**d}", lambda d=d: png(bits(d), d, made.PALETTE, table(d)), greys(d))
      for d in (1, 4, 8)],
    good("palette_clear.png", "palette with a transparent entry",
         lambda: png(CLEAR // 255, 8, made.PALETTE, chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0\xff")),
         three(255 - CLEAR)),
    good("rgba.png", "RGB and alpha", lambda: encoded(RGBA, "PNG"), ON_WHITE),
    good("la.png", "grey and alpha", lambda: png(RGBA[..., [0, 3]], 8, made.GREY_ALPHA), three(ON_WHITE[..., 0])),
    good("colour_key.png", "RGB with one transparent colour",
         lambda: png(np.where(CLEAR[..., None] > 0, 7, 9) + np.zeros((1, 1, 3), int), before=chunk(b"tRNS",
             b"\0\x09" * 3)),
         np.where(CLEAR[..., None] > 0, 7, 255) + np.zeros((1, 1, 3), np.uint8)),
    good("grey_16.png", "16-bit grey", lambda: png(deep(GREY), 16, made.GREY), three(GREY), 1.0),
    good("rgb_16.png", "16-bit RGB", lambda: png(deep(BASE), 16), off=1.0),
    good("la_16.png", "16-bit grey and alpha", lambda: png(deep(RGBA[..., [0, 3]]) - 100, 16, made.GREY_ALPHA),
         three(ON_WHITE[..., 0])),
    good("rgba_16.png", "16-bit RGB and alpha", lambda: png(deep(RGBA) - 100, 16, made.RGBA), ON_WHITE),
    good("interlaced.png", "interlaced (Adam7)", lambda: png(BASE, adam7=True)),
    good("animated.png", "animated (APNG)", lambda: apng([BASE, OTHER])),
    good("animated_hidden.png", "animated, with a separate still image", lambda: apng([OTHER, OTHER], hidden=BASE)),
    good("turned.png", "EXIF orientation 3 in a PNG", lambda: encoded(BASE[::-1, ::-1].copy(), "PNG", exif=exif(3))),
    good("profile.png", "a colour profile of garbage",
         lambda: png(BASE, before=chunk(b"iCCP", b"x\0\0" + zlib.compress(NOISE)))),
    good("texts.png", "900 texts of 1 KB", lambda: png(BASE, before=chunk(b"tEXt", b"Comment\0" + b"x" * 1000) * 900)),
    good("tail.png", "a zip archive behind the image", lambda: WHOLE + archive()),
    good("unknown.png", "private parts of unknown kinds",
         lambda: png(BASE, before=chunk(b"prVt", NOISE), after=chunk(b"zzZz", b""))),
    *[bad(f"{kind.decode().lower()}_bomb.png", f"a packed {kind.decode()} of 100 MB",
          lambda kind=kind: corrupt_text(kind))
      for kind in (b"zTXt", b"iTXt")],
    bad("bad_checksum.png", "a part with a wrong checksum", lambda: png(BASE, before=chunk(b"tEXt", b"a\0b", crc=1))),
    bad("bad_pixels.png", "pixels that do not unpack",
        lambda: made.SIGNATURE + header(W, H) + chunk(b"IDAT", NOISE), DAMAGED),
    good("few_pixels.png", "fewer rows than promised: the others are black", lambda: made.SIGNATURE + header(W, H)
         + chunk(b"IDAT", zlib.compress(made.rows_of(BASE[:20], 8))) + chunk(b"IEND", b""),
         np.where(ROWS[..., None] < 20, BASE, 0).astype(np.uint8)),
    bad("no_pixels.png", "no pixels at all", lambda: made.SIGNATURE + header(W, H) + chunk(b"IEND", b""), DAMAGED),
    bad("no_size.png", "0 × 0 pixels", lambda: made.SIGNATURE + header(0, 0) + WHOLE[33:]),
    bad("odd_depth.png", "3 bits a sample", lambda: made.SIGNATURE + header(W, H, 3, made.GREY) + WHOLE[33:]),
    bad("signature.png", "eight right bytes and nothing else", lambda: made.SIGNATURE),
    *[bad(f"cut_{n}.png", f"truncated after {n} bytes", lambda n=n: WHOLE[:n]) for n in (4, 20)],
    *[bad(f"cut_{n}.png", f"truncated after {n} bytes", lambda n=n: WHOLE[:n], DAMAGED) for n in (60, 400)],
    bad("claims_13000.png", "claims 13000 × 13000 pixels",
        lambda: made.SIGNATURE + header(13000, 13000) + WHOLE[33:], "13000 × 13000"),
    bad("claims_all.png", "claims 2³¹ − 1 pixels a side",
        lambda: made.SIGNATURE + header(2**31 - 1, 2**31 - 1) + WHOLE[33:],
        "far too many pixels"),
]  # fmt: skip

JPEG = [
    good("plain.jpg", "baseline", jpeg, off=LOSSY),
    good("grey.jpg", "grey", lambda: jpeg(GREY), three(GREY), LOSSY),
    good("cmyk.jpg", "CMYK, as printers have it",
         lambda: jpeg(Image.merge("CMYK", [Image.fromarray(255 - BASE[..., i]) for i in range(3)] + [Image.new("L",
             (W, H))])),
         off=LOSSY),
    good("progressive.jpg", "progressive", lambda: jpeg(progressive=True), off=LOSSY),
    good("subsampled.jpg", "colours at half the size", lambda: jpeg(subsampling=2), off=LOSSY),
    good("phone.mpo", "two images in one file (MPO)", lambda: encoded(FRAMES[0], "MPO", save_all=True,
         append_images=FRAMES[1:], quality=95), off=LOSSY),
    good("turned_9.jpg", "an EXIF orientation that there is not", lambda: jpeg(exif=exif(9)), off=LOSSY),
    good("note.jpg", "an EXIF note of garbage", lambda: with_segment(jpeg(), 0xE1, b"Exif\0\0" + NOISE), off=LOSSY),
    good("note_loop.jpg", "an EXIF note that points at itself",
         lambda: with_segment(jpeg(), 0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0"),
             off=LOSSY),
    good("profile.jpg", "a colour profile of garbage",
         lambda: with_segment(jpeg(), 0xE2, b"ICC_PROFILE\0\1\1" + NOISE), off=LOSSY),
    good("comments.jpg", "6 MB of comments", lambda: with_segment(jpeg(), 0xFE, bytes(65000), 100), off=LOSSY),
    good("tail.jpg", "a zip archive behind the image", lambda: jpeg() + archive(), off=LOSSY),
    bad("passes.jpg", "10 000 passes over the image",
        lambda: made.many_scans(512, 10_000), "more than 100 progressive passes"),
    bad("claims_65000.jpg", "claims 65000 × 65000 pixels",
        lambda: made.claims(jpeg(), 65000, 65000), "far too many pixels"),
    bad("twelve_bits.jpg", "12 bits a sample", lambda: made.claims(jpeg(), W, H, depth=12)),
    bad("lossless.jpg", "a JPEG kind that no decoder reads", lambda: made.claims(jpeg(), W, H, marker=0xC3), DAMAGED),
    good("no_tables.jpg", "no Huffman tables: the usual ones are meant",
         lambda: jpeg().replace(b"\xff\xc4", b"\xff\xef"), off=LOSSY),
    *[bad(f"cut_{n}.jpg", f"truncated after {n} bytes", lambda n=n: jpeg()[:n]) for n in (2, 20, 150)],
    *[bad(f"cut_{n}.jpg", f"truncated after {n} bytes", lambda n=n: jpeg()[:n], DAMAGED) for n in (700, 1000)],
]  # fmt: skip

WEBP = [
    good("lossy.webp", "lossy", lambda: encoded(BASE, "WEBP", quality=95), off=LOSSY),
    good("lossless.webp", "lossless", lambda: encoded(BASE, "WEBP", lossless=True)),
    good("alpha.webp", "with alpha", lambda: encoded(RGBA, "WEBP", lossless=True, exact=True), ON_WHITE),
    good("animated.webp", "animated",
         lambda: encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:], lossless=True)),
    bad("cut.webp", "truncated in the middle", lambda: encoded(BASE, "WEBP", lossless=True)[:50]),
    bad("claims_16383.webp", "claims 16383 × 16383 pixels", lambda: made.webp_claim(16383, 16383), ""),
    bad("sound.webp", "a RIFF file of sound", lambda: b"RIFF" + struct.pack("<I", 4000) + b"WAVEfmt " + bytes(4000)),
]  # fmt: skip

OTHERS = [
    good("phone.avif", "AVIF", lambda: encoded(BASE, "AVIF", quality=95), off=LOSSY),
    good("alpha.avif", "AVIF with alpha", lambda: encoded(RGBA, "AVIF", quality=95, subsampling="4:4:4"), ON_WHITE, 8),
    good("turned.avif", "AVIF with EXIF orientation 6",
         lambda: encoded(np.ascontiguousarray(np.rot90(BASE, 1)), "AVIF", quality=95, exif=exif(6)), off=LOSSY),
    good("animated.avif", "animated AVIF", lambda: encoded(FRAMES[0], "AVIF", save_all=True, append_images=FRAMES[1:],
         quality=95), off=LOSSY),
    bad("cut.avif", "AVIF, truncated in the middle", lambda: encoded(BASE, "AVIF")[:300], "damaged"),
    bad("film.avif", "a film", lambda: b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(200)),
    good("still.gif", "GIF", lambda: encoded(GREY, "GIF"), three(GREY)),
    good("animation.gif", "an animated GIF: its first frame", lambda: encoded(Image.fromarray(GREY), "GIF",
         save_all=True, append_images=[Image.fromarray(255 - GREY)]), three(GREY)),
    good("clear.gif", "GIF with a transparent colour",
         lambda: encoded(Image.fromarray(CLEAR // 255 * 7), "GIF", transparency=0), np.where(CLEAR[..., None] > 0, 7,
         255) + np.zeros((1, 1, 3), np.uint8)),
    good("paint.bmp", "BMP", lambda: encoded(BASE, "BMP")),
    good("scan.tiff", "TIFF", lambda: encoded(BASE, "TIFF")),
    good("pages.tif", "TIFF of two pages, packed", lambda: encoded(BASE, "TIFF", save_all=True,
         append_images=[Image.fromarray(OTHER)], compression="tiff_lzw")),
    good("turned.tif", "TIFF with orientation 6",
         lambda: encoded(np.ascontiguousarray(np.rot90(BASE, 1)), "TIFF", tiffinfo={274: 6})),
    good("alpha.tif", "TIFF with alpha", lambda: encoded(RGBA, "TIFF"), ON_WHITE),
    bad("levels.tif", "TIFF of fractions", lambda: encoded(GREY.astype(np.float32), "TIFF"), DAMAGED),
    bad("cut.tif", "TIFF, truncated in the middle", lambda: encoded(BASE, "TIFF")[:-4000], "damaged"),
    bad("cut.gif", "GIF, truncated in its header", lambda: encoded(GREY, "GIF")[:10], "damaged"),
    bad("cut.bmp", "BMP, truncated in its header", lambda: encoded(BASE, "BMP")[:20], "damaged"),
]  # fmt: skip

SIZES = [
    bad("1x1.png", "1 × 1 pixel", lambda: plain_png(1, 1), "1 × 1 pixels; please choose one of at least 16"),
    bad("1x5000.png", "1 × 5000 pixels", lambda: plain_png(1, 5000), "1 × 5000 pixels"),
    bad("5000x1.png", "5000 × 1 pixels", lambda: plain_png(5000, 1), "5000 × 1 pixels"),
    bad("16x129.png", "a strip of 16 × 129 pixels", lambda: plain_png(16, 129), "at most 8 times"),
    good("16x16.png", "the smallest, 16 × 16", lambda: plain_png(16, 16), np.zeros((16, 16, 3), np.uint8)),
    good("16x128.png", "the narrowest, 16 × 128", lambda: plain_png(16, 128), np.zeros((128, 16, 3), np.uint8)),
    *[good(f"40_megapixels_{mode}.png", f"40 megapixels, {words}",
          lambda c=colour, d=depth: plain_png(8000, 5000, c, d),
           np.full((640, 1024, 3), shade, np.uint8))
      for mode, words, colour, depth, shade in (
          ("rgb", "RGB", made.RGB, 8, 0), ("rgba", "all of it transparent", made.RGBA, 8, 255),
          ("palette", "palette", made.PALETTE, 8, 0), ("grey_16", "16-bit grey", made.GREY, 16, 0),
          ("rgba_16", "16-bit RGB and alpha", made.RGBA, 16, 255))],
    good("40_megapixels.jpg", "40 megapixels, progressive JPEG",
         lambda: jpeg(Image.new("L", (8000, 5000)), progressive=True),
         np.zeros((640, 1024, 3), np.uint8)),
    good("48_megapixels.jpg", "48 megapixels, as phones take them",
         lambda: jpeg(Image.new("RGB", (8064, 6048))), np.zeros((768, 1024, 3), np.uint8)),
    good("100_megapixels.jpg", "100 megapixels, JPEG", lambda: jpeg(Image.new("RGB", (10000, 10000))),
         np.zeros((1024, 1024, 3), np.uint8)),
    bad("101_megapixels.jpg", "101 megapixels, JPEG", lambda: made.claims(jpeg(), 10100, 10000), "10100 × 10000"),
    good("40_megapixels_colour.jpg", "40 megapixels, progressive JPEG, colours at full size",
         lambda: jpeg(Image.new("RGB", (8000, 5000)), progressive=True, subsampling=0),
         np.zeros((640, 1024, 3), np.uint8)),
    bad("41_megapixels.jpg", "41 megapixels, progressive JPEG",
        lambda: made.claims(jpeg(progressive=True), 8200, 5000, marker=0xC2), "as a baseline JPEG"),
    bad("31_megapixels.jpg", "31 megapixels, progressive JPEG of four channels",
        lambda: made.claims(jpeg(Image.new("CMYK", (W, H)), progressive=True), 6200, 5000, marker=0xC2),
        "at most 30 megapixels"),
    good("12_megapixels.webp", "12 megapixels, WebP with alpha",
         lambda: encoded(Image.new("RGBA", (4000, 3000)), "WEBP", lossless=True, method=0, quality=0, exact=True),
         np.full((768, 1024, 3), 255, np.uint8)),
    bad("13_megapixels.webp", "13 megapixels, WebP",
        lambda: encoded(Image.new("L", (4333, 3001)), "WEBP", method=0), "at most 12 megapixels"),
    good("20_megapixels.avif", "20 megapixels, AVIF with alpha, colours at full size",
         lambda: encoded(Image.new("RGBA", (5000, 4000)), "AVIF", speed=10, subsampling="4:4:4"),
         np.full((819, 1024, 3), 255, np.uint8)),
    good("20_megapixels.tif", "20 megapixels, TIFF in one strip",
         lambda: encoded(Image.new("RGBA", (5000, 4000)), "TIFF", compression="tiff_adobe_deflate", strip_size=2**30),
         np.full((819, 1024, 3), 255, np.uint8)),
    good("40_megapixels.gif", "40 megapixels, GIF", lambda: encoded(Image.new("L", (8000, 5000)), "GIF"),
         np.zeros((640, 1024, 3), np.uint8)),
    bad("41_megapixels.png", "41 megapixels", lambda: plain_png(8200, 5000), "8200 × 5000"),
    bad("41_megabytes.png", "41 MB", lambda: WHOLE + bytes(MAX_BYTES), f"at most {MAX_MB} MB"),
]  # fmt: skip

NO_PICTURES = [
    good("photo.jpg", "a PNG named .jpg", lambda: WHOLE),
    good("photo.png", "a WebP named .png", lambda: encoded(BASE, "WEBP", lossless=True)),
    good("photo", "no ending", lambda: WHOLE),
    good("photo.exe", "a PNG named .exe", lambda: WHOLE),
    good("animation.png", "a GIF named .png", lambda: encoded(GREY, "GIF"), three(GREY)),
    good("scan.png", "a 16-bit TIFF named .png", lambda: encoded(deep(GREY), "TIFF"), three(GREY), 1.0),
    good("paint.jpg", "a BMP named .jpg", lambda: encoded(BASE, "BMP")),
    bad("icon.png", "an ICO named .png", lambda: encoded(BASE, "ICO")),
    bad("drawing.png", "an SVG with a script", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    bad("page.jpg", "HTML with a script", lambda: b"<!doctype html><script>alert(1)</script>"),
    bad("archive.png", "a zip archive", archive),
    bad("bomb.png", "10 MB of zeros, gzipped", lambda: gzip.compress(bytes(10 * 2**20))),
    bad("paper.jpg", "a PDF", lambda: b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF"),
    bad("print.png", "PostScript, which other programs would run",
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n"),
    bad("program.webp", "a program (ELF)", lambda: b"\x7fELF\2\1\1" + bytes(200)),
    bad("weights.png", "a pickle", lambda: pickle.dumps({"a": 1})),
    bad("phone.jpg", "an HEIC of a phone", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
        "please export this one as JPEG"),
    bad("empty.png", "zero bytes", lambda: b""),
    bad("noise.jpg", "random bytes", lambda: NOISE),
    bad("text.png", "a text", lambda: "그림이 아니다".encode()),
]  # fmt: skip

GROUPS = {
    "PNG": PNG, "JPEG": [*JPEG, *orientations()], "WebP": WEBP, "AVIF, GIF, BMP, TIFF": OTHERS, "Sizes": SIZES,
    "Other files and names": NO_PICTURES,
}  # fmt: skip
CORPUS = [upload for group in GROUPS.values() for upload in group]
