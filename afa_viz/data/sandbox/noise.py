"""Fixed noise tiles, the same for every scene: 512 x 512 float32, mean 0, deviation 1, periodic."""

from functools import cache

import numpy as np

TILE = 512


def _spectral(rng, slope, stretch_x=1.0, stretch_y=1.0, low_cut=0.0) -> np.ndarray:
    """Gaussian noise with an f^-slope power spectrum; `low_cut` (cycles a pixel) removes slow waves."""
    fy = np.fft.fftfreq(TILE)[:, None] * stretch_y
    fx = np.fft.rfftfreq(TILE)[None] * stretch_x
    frequency = np.sqrt(fx * fx + fy * fy)
    frequency[0, 0] = 1
    shape = (TILE, TILE // 2 + 1)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * frequency ** (-slope / 2)
    if low_cut:
        spectrum *= np.exp(-((low_cut / frequency) ** 2))
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return (noise / noise.std()).astype(np.float32)


@cache
def bank() -> dict[str, np.ndarray]:
    """Tiles by name: clay (lumps and finger prints), blob, fine, cloud, wave."""
    rng = np.random.default_rng(20240)
    lumps = _spectral(rng, 2.8, low_cut=0.012)
    prints = _spectral(rng, 1.7, stretch_x=0.5, low_cut=0.05)
    return {
        "clay": 0.75 * lumps + 0.25 * prints,
        "blob": _spectral(rng, 4.2, low_cut=0.006),
        "fine": _spectral(rng, 0.6),
        "cloud": _spectral(rng, 3.4, stretch_x=1.5, stretch_y=0.8),
        "wave": _spectral(rng, 2.4, stretch_x=1.5, stretch_y=0.5, low_cut=0.008),
    }


@cache
def photo(name: str) -> np.ndarray:
    """One of scikit-image's bundled textures ("grass", "gravel", "brick"), high-passed and normalised."""
    from scipy import ndimage  # 16 MB that a page which renders nothing does without
    from skimage import data

    image = getattr(data, name)().astype(np.float32)
    image -= ndimage.gaussian_filter(image, 60, mode="wrap")
    image = np.clip(image / image.std(), -2.5, 2.5)
    return np.ascontiguousarray(image.T) if name == "brick" else image


@cache
def _clay_twice() -> np.ndarray:
    return np.tile(bank()["clay"], (2, 2))


def clay_patch(offset: tuple[int, int], height: int, width: int) -> np.ndarray:
    """(height, width) cut of the clay tile that starts at `offset` (row, column); a view where it fits."""
    row, column = offset
    if height <= TILE and width <= TILE:
        return _clay_twice()[row : row + height, column : column + width]
    rows, columns = (row + np.arange(height)) % TILE, (column + np.arange(width)) % TILE
    return bank()["clay"][np.ix_(rows, columns)]


def sample(tile: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Nearest value of a tile at the (broadcast) tile-pixel coordinates x, y, wrapped around."""
    columns = np.floor(x).astype(np.int32) & (TILE - 1)
    rows = np.floor(y).astype(np.int32) & (TILE - 1)
    return tile[rows, columns]


def patch(name: str, rng: np.random.Generator, size: int, span: float = 208.0) -> np.ndarray:
    """(size, size) cut of a tile at a random place, `span` tile pixels wide at every image size."""
    row, column = rng.integers(0, TILE, 2)
    steps = np.arange(size, dtype=np.float32) * np.float32(span / size)
    return sample(bank()[name], (steps + column)[None], (steps + row)[:, None])
