"""What pixels tell of their own history, as free of what they show as can be."""

from dataclasses import dataclass

import numpy as np

_SIDE = 256  # of the middle of a large image that is looked at; a multiple of 8
_GREY = 1.0  # mean difference of channels, in grey levels
_TILE = 16  # pixels a side: noise of 9 levels is below _GREY in their means
_NOISE_LEFT = 0.12  # mean spread of three means of so many pixels, over the noise of one pixel
_NOISIEST = 40.0  # levels
_TINY = 1e-3
_FLAT = 0.05  # energy below the rounding to whole grey levels
_BANDS = 12


@dataclass(frozen=True)
class Traces:
    """Measures of one image.

    Attributes:
        grey: whether its channels are alike.
        border: (8,) for each side, how much its outermost line differs from where the slope of the
            light inside leads, and how much flatter it is, in units of what lines inside do.
        across: (9,) along rows: logarithms of energy ratios of differences 1, 2, 3 and 4 pixels
            apart (the upper end of the spectrum, of which scenes share the slope); how second
            differences go with those 1, 2, 3 and 4 pixels on, and how heavy the tails of first
            and second differences are: a kernel leaves its own pattern there.
        down: the same along columns.
        beat_across: (24,) how first and second differences along rows vary from column to column,
            by frequency: resampling leaves a period (Gallagher, 2005; Popescu & Farid, 2005).
        beat_down: the same along columns.
        mixed: (9,) the like of differences in both directions.
        tilt: (3,) logarithms of the energies of differences 1, 2 and 4 apart along rows over
            those along columns.
        blocks: (5,) how much more coefficients vanish on the grid of 8×8 blocks that JPEG uses
            than on a grid beside it, in four bands; and how much lines jump on that grid.
        phase: (16,) how much curvature there is at each of 8 columns, then rows, from the top left,
            in logarithms, less the mean: peaks tell where a grid of blocks lies.
    """

    grey: bool
    border: np.ndarray
    across: np.ndarray
    down: np.ndarray
    beat_across: np.ndarray
    beat_down: np.ndarray
    mixed: np.ndarray
    tilt: np.ndarray
    blocks: np.ndarray
    phase: np.ndarray


def read_traces(image: np.ndarray) -> Traces:
    """The traces in uint8 pixels, (H, W) or (H, W, 3), of any size."""
    luminance = image.astype(np.float32)
    grey = True
    if image.ndim == 3:
        grey = is_grey(luminance)
        luminance = luminance @ np.array([0.299, 0.587, 0.114], np.float32)
    shortest = min(luminance.shape)
    inner = _middle(luminance, 4 if shortest >= 24 else 0)
    return Traces(
        grey=grey,
        border=_border(luminance),
        across=np.append(_slope(inner), _echoes(inner)),
        down=np.append(_slope(inner.T), _echoes(inner.T)),
        beat_across=_beats(inner),
        beat_down=_beats(inner.T),
        mixed=_mixed(inner),
        tilt=np.log((_energies(inner) + _TINY) / (_energies(inner.T) + _TINY))[[0, 1, 3]],
        blocks=_blocks(_middle(luminance, 8 if shortest >= 32 else 0)),
        phase=_phase(_middle(luminance, 8 if shortest >= 32 else 0)),
    )


def is_grey(image: np.ndarray) -> bool:
    """Whether the channels of pixels (H, W, 3) are alike but for noise of each by itself.

    Seen in means of large tiles, where noise averages out and colour does not; what is left of
    white noise there is allowed for.
    """
    means = tile_means(image, _TILE)
    spread = float((means.max(2) - means.min(2)).mean())
    if spread >= _GREY + _NOISE_LEFT * _NOISIEST:
        return False
    differences = np.diff(np.diff(image[..., ::2] - image[..., 1:2], axis=0), axis=1)
    noise = float(differences.std()) / 8**0.5 if differences.size else 0.0
    if noise > float(image.mean(2).std()):  # nothing but noise: it is the picture
        return noise < _GREY
    return spread < _GREY + _NOISE_LEFT * min(noise, _NOISIEST)


def tile_means(image: np.ndarray, side: int) -> np.ndarray:
    """Means of tiles of so many pixels a side, (h, w, 3), of an image (H, W, 3) of any size."""
    height, width = (max(1, length // side) for length in image.shape[:2])
    high, wide = (min(side, length) for length in image.shape[:2])
    cut = image[: height * high, : width * wide].astype(np.float32)
    return cut.reshape(height, high, width, wide, 3).mean((1, 3))


def _middle(luminance: np.ndarray, margin: int) -> np.ndarray:
    """What is left without a margin, and of that the middle, in steps of whole blocks."""
    parts = []
    for length in luminance.shape:
        usable = length - 2 * margin
        start = margin + max(0, (usable - _SIDE) // 2) // 8 * 8
        parts.append(slice(start, start + min(usable, _SIDE)))
    return luminance[parts[0], parts[1]]


def _energies(lines: np.ndarray) -> np.ndarray:
    """Mean squared differences of pixels 1, 2, 3 and 4 apart along each row."""
    return np.array(
        [
            np.square(lines[:, step:] - lines[:, :-step]).mean() if lines.shape[1] > step else 0.0
            for step in (1, 2, 3, 4)
        ]
    )


def _slope(lines: np.ndarray) -> np.ndarray:
    """Log ratios of the energies of neighbouring scales along each row."""
    return np.diff(np.log(_energies(lines) + _TINY))


def _echoes(lines: np.ndarray) -> np.ndarray:
    """Autocorrelation of second differences along each row, and tails of both differences."""
    if lines.shape[1] < 8:
        return np.zeros(6)
    second = np.diff(lines, 2, axis=1)
    return np.array([*_autocorrelation(second), _tails(np.diff(lines, axis=1)), _tails(second)])


def _mixed(luminance: np.ndarray) -> np.ndarray:
    """Autocorrelation, along and across rows, of differences in both directions; their tails."""
    if min(luminance.shape) < 8:
        return np.zeros(9)
    corners = np.diff(np.diff(luminance, axis=0), axis=1)
    both = (*_autocorrelation(corners), *_autocorrelation(corners.T))
    return np.array([*both, _tails(corners)])


def _autocorrelation(residual: np.ndarray) -> list[float]:
    """Along rows, 1, 2, 3 and 4 pixels on."""
    energy = np.square(residual).mean() + _FLAT
    return [
        float((residual[:, step:] * residual[:, :-step]).mean() / energy) for step in (1, 2, 3, 4)
    ]


def _tails(residual: np.ndarray) -> float:
    """How much more of the energy is in few places than in an even spread."""
    even = np.square(np.abs(residual).mean())
    return float(np.log((np.square(residual).mean() + _FLAT) / (even + _FLAT)))


def _beats(lines: np.ndarray) -> np.ndarray:
    """Amplitudes, in twelve bands, of the pattern of first and of second differences."""
    found = np.zeros((2, _BANDS))
    for order in (1, 2):
        if lines.shape[1] < 16:
            break
        profile = np.log(np.abs(np.diff(lines, order, axis=1)).mean(0) + 0.1)
        smooth = np.convolve(np.pad(profile, 4, mode="edge"), np.ones(9) / 9, mode="valid")
        rhythm = profile - smooth
        amplitude = np.abs(np.fft.rfft(rhythm * np.hanning(len(rhythm)), 192)) / len(rhythm)
        # from an eighth of the sampling rate on: below, it is the scene that varies
        bands = amplitude[25:97].reshape(_BANDS, -1).max(1)
        found[order - 1] = np.log(bands + _TINY)
    return found.ravel()


def _border(luminance: np.ndarray) -> np.ndarray:
    found = []
    for turned in range(4):
        lines = np.rot90(luminance, turned)[:12]
        if len(lines) < 8:
            found += [0.0, 0.0]
            continue
        means, spreads = lines.mean(1), lines.std(1) + 1
        inside = means[4:]
        slope = (inside[0] - inside[-1]) / (len(inside) - 1)
        usual = np.abs(np.diff(inside)).mean() + 1
        step = means[0] - means[4] - 4 * slope
        found += [step / usual, np.log(spreads[0] / spreads[4])]
    return np.array(found)


def _blocks(luminance: np.ndarray) -> np.ndarray:
    from scipy.fft import dctn

    shares = []
    for offset in (0, 4):
        part = luminance[offset:, offset:]
        height, width = (length // 8 * 8 for length in part.shape)
        if not height or not width:
            return np.zeros(5)
        tiles = part[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
        found = np.abs(dctn(tiles, axes=(2, 3), norm="ortho"))
        order = np.add.outer(np.arange(8), np.arange(8))
        shares.append(
            [
                float((found[:, :, (order >= low) & (order < low + 3)] < 1.0).mean())
                for low in (1, 4, 7, 10)
            ]
        )
    aligned, beside = np.array(shares)
    return np.append(aligned - beside, _jumps(luminance))


def _phase(luminance: np.ndarray) -> np.ndarray:
    if min(luminance.shape) < 17:
        return np.zeros(16)
    found = []
    for axis in (1, 0):
        curved = np.abs(np.diff(luminance, 2, axis=axis)).mean(1 - axis)
        place = np.arange(1, len(curved) + 1) % 8
        sums = np.bincount(place, curved, 8) / np.bincount(place, minlength=8)
        logs = np.log(sums + 0.1)
        found.append(logs - logs.mean())
    return np.concatenate(found)


def _jumps(luminance: np.ndarray) -> float:
    """Log ratio of curvature across the borders of blocks to curvature in their middle."""
    if min(luminance.shape) < 17:
        return 0.0
    curved = (
        np.abs(np.diff(luminance, 2, axis=1)).mean(0),
        np.abs(np.diff(luminance, 2, axis=0)).mean(1),
    )
    ratio = []
    for line in curved:
        place = np.arange(1, len(line) + 1) % 8  # of the middle pixel of each second difference
        edge, middle = line[(place == 7) | (place == 0)], line[(place == 3) | (place == 4)]
        ratio.append(np.log((edge.mean() + 0.1) / (middle.mean() + 0.1)))
    return float(np.mean(ratio))
