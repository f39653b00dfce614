"""Parts of a self-contained HTML page: images as data URIs, figures with captions, tables, charts, frame players.

Every function returns HTML; texts are escaped and translated here.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.figures import colour
from afa_viz.figures.colour import RGBImage
from afa_viz.figures.maps import Limits
from afa_viz.figures.strip import ARROWS, PLACES, StageTile
from afa_viz.figures.translation import translate
from afa_viz.figures.typography import change_sign, format_number, format_percent

LONG_SIDE = 384  # pixels of an image in the page; larger ones are scaled down
SMALL_SIDE = 220  # of an image in the pipeline and in the grids of heads


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _shrunk(image: Image.Image, side: int, how: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    factor = side / max(image.size)
    if factor >= 1:
        return image
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), how)


def image_uri(image: RGBImage, side: int = LONG_SIDE, full: bool = False) -> str:
    """An image as a data URI: PNG with a palette of 256 colours, or with all colours (`full`)."""
    small = _shrunk(Image.fromarray(image), side)
    return _uri(small if full else small.quantize(256, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE))


def grey_uri(values: Any, side: int = LONG_SIDE) -> str:
    """(h, w) uint8 as a data URI: grey PNG, every value kept unless it is scaled down."""
    return _uri(_shrunk(Image.fromarray(np.asarray(values, dtype=np.uint8)), side))


def heat_uri(values: Any, limits: Limits, side: int = 192) -> str:
    """(h, w) numbers as a transparent PNG to lay over the photograph; colours and opacity as in `colour.heat`."""
    steps = colour.heat(np.linspace(0, 1, 256))
    share = (np.asarray(values, dtype=np.float32) - limits[0]) / max(limits[1] - limits[0], 1e-12)
    small = _shrunk(Image.fromarray(np.clip(share, 0, 1)), side, Image.Resampling.BILINEAR)
    indexed = Image.fromarray(np.rint(np.asarray(small) * 255).astype(np.uint8)).convert("P")
    indexed.putpalette(steps[:, :3].ravel().tolist())
    indexed.info["transparency"] = steps[:, 3].tobytes()
    return _uri(indexed)


def text(*sentences: str) -> str:
    """Paragraphs; the sentences are HTML already."""
    return "".join(f"<p>{translate(sentence)}</p>" for sentence in sentences)


def key(**kinds: str) -> str:
    """A legend: texts by the CSS class of their swatch."""
    swatches = (f'<span class="key {kind}"></span>{translate(words)}' for kind, words in kinds.items())
    return f"<p>{''.join(swatches)}</p>"


def equation(content: str) -> str:
    """One line of formula, in HTML."""
    return f'<div class="equation">{content}</div>'


def ramp(limits: Limits) -> str:
    """The colour scale with its numbers."""
    low, high = (format_number(value) for value in limits)
    label = escape(translate(f"colours from {low} (dark) to {high} (bright)"))
    return f'<div class="ramp" role="img" aria-label="{label}"><span>{low}</span><i></i><span>{high}</span></div>'


def ramp_css() -> str:
    """The colours of magnitudes as a CSS gradient."""
    stops = colour.table(colour.MAGNITUDE)[np.linspace(0, 255, 17).astype(int)]
    return "linear-gradient(90deg," + ",".join("#{:02x}{:02x}{:02x}".format(*stop) for stop in stops) + ")"


def figure(
    image: RGBImage, alt: str, caption: str, limits: Limits | None = None, side: int = LONG_SIDE, full: bool = False
) -> str:
    """An image with its caption and, if it has `limits`, the colour scale; see `image_uri`."""
    scale = ramp(limits) if limits else ""
    return (
        f'<figure><img src="{image_uri(image, side, full)}" alt="{escape(translate(alt))}">{scale}'
        f"<figcaption>{escape(translate(caption))}</figcaption></figure>"
    )


def grid(figures: Sequence[str], small: bool = False) -> str:
    """Figures side by side, as many as fit."""
    return f'<div class="grid{" small" if small else ""}">{"".join(figures)}</div>'


def pipeline(stage_tiles: Sequence[StageTile]) -> str:
    """The pipeline strip as a list of stages at the positions of `strip.PLACES`, with changes as text on the arrows."""
    by_stage = {tile.stage: tile for tile in stage_tiles}
    items = []
    for tile in stage_tiles:
        arrows = "".join(
            _arrow(tile.stage, by_stage[after])
            for before, after in ARROWS
            if before == tile.stage and not by_stage[after].left_out
        )
        notes = "".join(
            f"<strong>{escape(translate(note))}</strong>"
            if k == 0 and tile.scored
            else f"<span>{escape(translate(note))}</span>"
            for k, note in enumerate(tile.notes)
        )
        alt = escape(translate(f"{tile.title} over the photograph" if tile.limits else tile.title))
        title = escape(translate(tile.title))
        row, column = PLACES[tile.stage]
        items.append(
            f'<li style="grid-area: {row + 1} / {column + 1}"><h3>{title}</h3><div class="shot">'
            f'<img src="{image_uri(tile.image, SMALL_SIDE)}" alt="{alt}">{arrows}</div>'
            f"{ramp(tile.limits) if tile.limits else ''}<p>{notes}</p></li>"
        )
    return f'<div class="scroll"><ol class="strip">{"".join(items)}</ol></div>'


def _arrow(before: str, after: StageTile) -> str:
    """An arrow to the right, an arrow down, or the branch from the CAM to the arrow below."""
    if PLACES[before][1] == PLACES[after.stage][1]:
        return '<span class="down" aria-hidden="true"></span>'
    if PLACES[before][0] != PLACES[after.stage][0]:
        return '<span class="fork" aria-hidden="true"></span>'
    change = after.change
    kind = "" if change is None else {1: " better", -1: " worse", 0: ""}[change_sign(change)]
    text = "" if change is None else format_percent(change, signed=True)
    return f'<span class="arrow{kind}"><i aria-hidden="true"></i>{text}</span>'


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{escape(translate(cell))}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(translate(row[0]))}</th>'
        f"{''.join(f'<td>{escape(translate(cell))}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(translate(caption))}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def player(title: str, frames: Sequence[Any], names: Sequence[str], limits: Limits, cells: bool, shown: int) -> str:
    """A sequence of maps over the photograph, with a slider; all frames share one scale.

    Args:
        names: of the frames.
        cells: enlarge without interpolation.
        shown: index of the first frame to display.
    """
    title, names = translate(title), [translate(name) for name in names]
    images = "".join(
        f'<img src="{heat_uri(frame, limits)}" alt="{escape(f"{title}: {name}")}"{"" if i == shown else " hidden"}>'
        for i, (frame, name) in enumerate(zip(frames, names, strict=True))
    )
    last, play = len(names) - 1, escape(translate("Play"))
    return (
        f'<figure class="player" data-names="{escape("|".join(names))}"><div class="stack{" cells" if cells else ""}">'
        f'{images}</div>{ramp(limits)}<figcaption>{escape(title)}</figcaption><div class="controls">'
        f'<button type="button" aria-label="{play}: {escape(title)}">{play}</button>'
        f'<input type="range" min="0" max="{last}" value="{shown}" aria-label="{escape(title)}">'
        f"<output>{escape(names[shown])}</output></div></figure>"
    )


def bars(title: str, groups: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Signed numbers as bars around a zero line, in named groups, with the number at each bar."""
    title, groups = translate(title), [(translate(name), group) for name, group in groups]
    values = [value for _, group in groups for value in group]
    limit = max([abs(value) for value in values] + [1e-12])
    width, half, step, gap = 26, 70, 42, 24
    parts, x = [], 46
    middle = half + 22
    below = max([-value for value in values if value < 0] + [0]) / limit * half + 28
    for name, group in groups:
        start = x
        for i, value in enumerate(group):
            height = abs(value) / limit * half
            top = middle - height if value >= 0 else middle
            text_y = top - 4 if value >= 0 else top + height + 12
            head = escape(f"{name}, {translate(f'head {i + 1}')}")
            parts.append(
                f'<rect class="{"plus" if value >= 0 else "minus"}" x="{x}" y="{top:.1f}" width="{width}" '
                f'height="{max(height, 0.5):.1f}"><title>{head}: {format_number(value)}</title></rect>'
                f'<text x="{x + width / 2}" y="{text_y:.1f}">{value:.2g}</text>'.replace(">-", ">−")
                + f'<text class="quiet" x="{x + width / 2}" y="{middle + below:.0f}">{i + 1}</text>'
            )
            x += step
        heads = escape(f"{name}, {translate('head')}")
        parts.append(f'<text x="{(start + x - step + width) / 2}" y="{middle + below + 18:.0f}">{heads}</text>')
        x += gap
    total, tall = x - gap + 10, round(middle + below + 26)
    listed = "; ".join(f"{name}: {', '.join(format_number(value) for value in group)}" for name, group in groups)
    axis = f'<line x1="40" x2="{total - 4}" y1="{middle}" y2="{middle}"/><text x="30" y="{middle + 4}">0</text>'
    return (
        f'<figure class="wide"><svg role="img" viewBox="0 0 {total} {tall}" style="max-width:{total}px" '
        f'aria-label="{escape(f"{title}. {listed}")}">{axis}{"".join(parts)}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def histogram(title: str, shares: Sequence[float], low: float, high: float) -> str:
    """Shares of pixels by score from 0 to 1, square-root height, with two threshold lines that a script can move."""
    title = translate(title)
    left, right, base, tall = 14, 286, 150, 118
    peak = max([*shares, 1e-12]) ** 0.5
    width = (right - left) / len(shares)
    boxes = "".join(
        f'<rect class="bin" x="{left + i * width:.1f}" y="{base - share**0.5 / peak * tall:.1f}" '
        f'width="{width - 1:.1f}" height="{share**0.5 / peak * tall:.1f}"/>'
        for i, share in enumerate(shares)
    )
    ticks = "".join(
        f'<text x="{left + tick * (right - left):.0f}" y="{base + 16}">{tick:g}</text>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    cuts = "".join(
        f'<g class="cut {name}" data-left="{left}" data-span="{right - left}" '
        f'transform="translate({left + value * (right - left):.1f} 0)"><line y1="22" y2="{base}"/>'
        f'<text y="14">{symbol}</text></g>'
        for name, value, symbol in (
            ("low", low, "β<tspan dy='3'>l</tspan>"),
            ("high", high, "β<tspan dy='3'>h</tspan>"),
        )
    )
    label = f"{title}; {translate(f'lower cut at {format_number(low)}, upper cut at {format_number(high)}')}"
    return (
        f'<figure><svg role="img" viewBox="0 0 300 172" aria-label="{escape(label)}">{boxes}'
        f'<line x1="{left}" x2="{right}" y1="{base}" y2="{base}"/>{ticks}{cuts}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )
