"""How light, coloured, stepped and grainy images are: a few numbers of each, and histograms."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from curate.bias.audit.facts import Facts
from curate.bias.audit.traces import tile_means

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_MAP = 128  # height and width, at most, of the map of odd places

OF_COLOURS = slice(5, 10)
"""Which of the numbers of :func:`grain` are of colours."""

_BINS = 24
_HUES = 18

_MEASURED: dict[str, Callable[[dict[str, np.ndarray]], np.ndarray]] = {
    "lightness, 0 to 255": lambda found: 255 * found["tone"][:, 0],
    "contrast (spread of lightness)": lambda found: 255 * found["tone"][:, 1],
    "colourfulness, 0 to 255": lambda found: 255 * found["colour"][:, 6],
    "red over green": lambda found: np.exp(found["colour"][:, 0]),
    "blue over green": lambda found: np.exp(found["colour"][:, 1]),
    "levels in use, of 256": lambda found: 256 * found["levels"][:, 0],
    "fine detail (logarithm)": lambda found: found["grain"][:, 2],
    "longer side, pixels": lambda found: np.exp(found["longest"][:, 0]),
    "width over height": lambda found: np.exp(found["aspect"][:, 0]),
}


def tone(image: np.ndarray) -> np.ndarray:
    """Lightness: mean, spread, seven quantiles of means of 4×4 pixels; (9,).

    Of means, so that it is light that is seen, and not which levels there are.
    """
    light = _light(image)
    height, width = (max(1, length // 4) for length in light.shape)
    tiles = light[: 4 * height, : 4 * width]
    if min(light.shape) >= 4:
        tiles = tiles.reshape(height, 4, width, 4).mean((1, 3))
    quantiles = np.quantile(tiles, [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
    return np.array([tiles.mean(), tiles.std(), *quantiles]) / 255


def uneven_light(image: np.ndarray) -> np.ndarray:
    """Whether light comes from a side, and how it falls off towards the edges; (3,).

    How lightness, in units of its spread, rises along rows and curves along rows and along columns:
    neither brightness nor contrast change that. Not how it rises along columns: the sky does, and a
    picture upside down is no matter of light.
    """
    light = _light(image)
    margin = max(2, min(light.shape) // 16)  # where a border or a mark may be
    if min(light.shape) < 2 * margin + 4:
        return np.zeros(3)
    light = light[margin:-margin, margin:-margin]
    seen = (light - light.mean()) / (light.std() + 4)
    along_rows, along_columns = (_slope_and_curve(seen.mean(axis)) for axis in (0, 1))
    return np.array([*along_rows, along_columns[1]])


def colour_balance(image: np.ndarray) -> np.ndarray:
    """Channels of (H, W, 3) against each other: means, spreads, saturation; (13,).

    Spreads and saturation are of means of 4×4 pixels, so that noise is no colour.
    """
    # channel by channel: four times as fast as pixel by pixel
    values = np.ascontiguousarray(image.reshape(-1, 3).T, np.float32)
    red, green, blue = tiles = _tiles_of_channels(image)
    means, spreads = values.mean(1) + 1, tiles.std(1) + 1
    chroma = tiles.max(0) - tiles.min(0)
    # of the middle tones and of the lightest tenth: a white balance shows where it was white
    total = values.sum(0)
    lightest = values[:, total >= np.quantile(total, 0.9)].mean(1) + 1
    opponent = np.stack([red - green, blue - green])
    return np.array(
        [
            *np.log(means[[0, 2]] / means[1]),
            *np.log(spreads[[0, 2]] / spreads[1]),
            *np.log(lightest[[0, 2]] / lightest[1]),
            chroma.mean() / 255,
            chroma.std() / 255,
            chroma.mean() / (tiles.std() + 1),
            *np.log1p(opponent.std(1)),
            *opponent.mean(1) / 255,
        ]
    )


def hues(image: np.ndarray) -> np.ndarray:
    """Which hues (H, W, 3) has, and along which axis colours spread; (24,).

    Scenes share an axis, from the blue of the sky to the yellow of the sun: a turn of the hue turns
    it.
    """
    red, green, blue = tiles = _tiles_of_channels(image)
    x, y = red - (green + blue) / 2, (green - blue) * np.float32(0.75**0.5)
    chroma = tiles.max(0) - tiles.min(0)
    sector = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * _HUES).astype(int) % _HUES
    shares = np.bincount(sector, np.minimum(chroma, 40), _HUES) / (
        np.minimum(chroma, 40).sum() + 2 * len(chroma)
    )
    about_the_mean = _axis(x - x.mean(), y - y.mean())
    axes = [*about_the_mean, np.arctan2(*about_the_mean[::-1]), *_axis(x, y)]
    return np.array([*axes, np.arctan2(y.mean(), x.mean()), *shares])


def levels(image: np.ndarray) -> np.ndarray:
    """Which of the 256 levels occur: count, holes, ends, multiples, unevenness; (12,)."""
    planes = image.reshape(-1, 3 if image.ndim == 3 else 1).T
    rows = []
    for plane in planes:
        counts = np.bincount(plane, minlength=256).astype(np.float64)
        present = np.flatnonzero(counts)
        low, high = present[0], present[-1]
        inside = counts[low : high + 1]
        uneven = np.abs(np.diff(inside, 2)).sum() / (4 * len(plane))
        multiples = [
            np.bincount(np.arange(256) % step, counts).max() / len(plane) for step in (2, 4, 8)
        ]
        odd = counts[1::2].sum() / len(plane)
        filled = (inside > 0).mean()
        heaps = counts.max() / len(plane), counts[low] / len(plane), counts[high] / len(plane)
        rows.append(
            [len(present) / 256, filled, low / 255, high / 255, uneven, odd, *multiples, *heaps]
        )
    return np.mean(rows, axis=0)


def grain(image: np.ndarray) -> np.ndarray:
    """Fine differences in the calmer parts, of lightness and of colours; (10,)."""
    light = _light(image)
    if min(light.shape) < 4:
        return np.zeros(10)
    found = [*_calm(light)]
    if image.ndim == 2:
        return np.array([*found, *np.zeros(5)])
    values = image.astype(np.float32)
    reds, blues = values[..., 0] - values[..., 1], values[..., 2] - values[..., 1]
    red, blue = _curved(reds), _curved(blues)
    together = (red * blue).mean() / (np.sqrt((red**2).mean() * (blue**2).mean()) + 0.1)
    sizes = np.log(
        0.25 + np.quantile(np.abs(np.stack([red, blue])), [0.25, 0.75], axis=(1, 2)).T.ravel()
    )
    return np.array([*found, *sizes, together])


def odd_places(image: np.ndarray) -> np.ndarray:
    """How far each pixel stands out from its neighbours, int8 (H, W), counted from the top left.

    Images of more than 128 pixels a side are brought to that by the largest of each tile, so that a
    single pixel stays seen.
    """
    light = _light(image)
    padded = np.pad(light, 1, mode="edge")
    around = np.stack([padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]])
    spread = around.max(0) - around.min(0)
    odd = (light - around.mean(0)) / (4 + spread)
    odd = np.clip(odd * 16, -127, 127).astype(np.int8)
    step = -(-max(odd.shape) // _MAP)
    if step > 1:
        height, width = (length // step * step for length in odd.shape)
        tiles = odd[:height, :width].reshape(height // step, step, width // step, step)
        highest, lowest = tiles.max((1, 3)), tiles.min((1, 3))
        odd = np.where(-lowest.astype(np.int16) > highest, lowest, highest)
    return odd


def specks(odd: np.ndarray) -> np.ndarray:
    """Logarithms of the shares of places that stand out by so much, wherever they are; (3,).

    Args:
        odd: of :func:`odd_places`.
    """
    height = np.abs(odd.astype(np.int16))
    return np.log([(height >= least).mean() + 1e-4 for least in (24, 48, 96)])


def properties(
    names: Sequence[str],
    measured: Sequence[dict[str, np.ndarray]],
    facts: Sequence[list[Facts] | None],
) -> pa.Table:
    """Histograms with the same bins for all sources, those of one value for all left out.

    Args:
        names: of the sources.
        measured: of each source the numbers of every probe, float64 (n, numbers).
        facts: of each source its images' headers, where they were read.

    Returns:
        One row per property, source and bin: ``property``, ``source``, ``low``, ``high``,
        ``share`` of the source's images. The first and the last bin hold what lies beyond.
    """
    values = {title: [ask(found) for found in measured] for title, ask in _MEASURED.items()}
    qualities = [
        np.array([fact.quality for fact in of or () if fact.quality is not None], np.float64)
        for of in facts
    ]
    if all(len(quality) for quality in qualities):
        values["JPEG quality"] = qualities
    rows = []
    for title, of_sources in values.items():
        ends = [np.quantile(one, [0.005, 0.995]) for one in of_sources]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        if high - low <= 1e-6 * max(1.0, abs(high)):
            continue
        edges = np.linspace(low, high, _BINS + 1)
        for name, one in zip(names, of_sources, strict=True):
            counts = np.histogram(np.clip(one, low, high), edges)[0]
            rows += [
                {
                    "property": title,
                    "source": name,
                    "low": float(edges[place]),
                    "high": float(edges[place + 1]),
                    "share": float(count / len(one)),
                }
                for place, count in enumerate(counts)
            ]
    kinds = {"property": pa.string(), "source": pa.string()}
    schema = pa.schema(kinds | dict.fromkeys(("low", "high", "share"), pa.float64()))
    return pa.Table.from_pylist(rows, schema)


def _slope_and_curve(profile: np.ndarray) -> tuple[float, float]:
    """Of a line of values at -1 to 1: the least squares of a slope, and of a parabola."""
    place = np.linspace(-1, 1, len(profile))
    bow = place**2 - (place**2).mean()
    return float(profile @ place / (place @ place)), float(profile @ bow / (bow @ bow))


def _axis(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Cosine and sine of twice the angle of the axis that points spread along, by how clearly."""
    across, up = float(np.square(x).mean()), float(np.square(y).mean())
    energy = across + up + 4
    return (across - up) / energy, 2 * float((x * y).mean()) / energy


def _tiles_of_channels(image: np.ndarray) -> np.ndarray:
    """Means of 4×4 pixels, float32 (3, tiles)."""
    return np.ascontiguousarray(tile_means(image, 4).reshape(-1, 3).T)


def _light(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) if image.ndim == 2 else image.astype(np.float32) @ _LUMA


def _curved(plane: np.ndarray) -> np.ndarray:
    """The second difference in both directions at once: noise stays, edges go."""
    return np.diff(np.diff(plane, axis=0), axis=1)


def _calm(light: np.ndarray) -> list[float]:
    curved = np.abs(_curved(light))
    sizes = np.log(0.25 + np.quantile(curved, [0.1, 0.25, 0.5, 0.9])).tolist()
    return [*sizes, sizes[1] - sizes[3]]
