"""The exchange table, the basket of currencies, and the learning curves they follow from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from curate.bias.market.curve_shift import shift
from curate.bias.market.splitting import TEST_SHARE
from curate.stats import mean_interval, percentile_interval, resampled_mean
from curate.stats.seeds import generator

_RESAMPLES = 1000


@dataclass(frozen=True, eq=False, repr=False)
class MarketValue:
    """What one example of each source is worth on each market.

    Attributes:
        names: of the sources.
        markets: those of them that were tested on.
        classes: that they share.
        task: "classify" (balanced accuracy) or "one-vs-rest" (mean average precision).
        sizes: of every source, the numbers of training examples.
        scores: of every source, float64 (seeds, its sizes, markets).
        seed: of the bootstrap.
        left_out: sentences on classes that not all sources have.
    """

    names: tuple[str, ...]
    markets: tuple[str, ...]
    classes: tuple[str, ...]
    task: str
    sizes: tuple[tuple[int, ...], ...]
    scores: tuple[np.ndarray, ...]
    seed: int
    left_out: tuple[str, ...] = ()

    @cached_property
    def table(self) -> pa.Table:
        """The exchange table: one row per pair of market and source.

        Columns: market, source, value (own examples that one of the source's is worth; null where
        the curves do not meet), low, high (95 %, bootstrap over the random splits, widened
        because splits overlap: :func:`curate.stats.resampled_mean`; null where the value is
        undefined in more than a twentieth of them), and reason, in words, for a null.
        """
        rows = []
        for index, market in enumerate(self.markets):
            for other, source in enumerate(self.names):
                rows.append({"market": market, "source": source, **self._value(index, other)})
        columns = ["market", "source", "value", "low", "high", "reason"]
        types = [pa.string(), pa.string(), *[pa.float64()] * 3, pa.string()]
        return pa.Table.from_pylist(rows, pa.schema(list(zip(columns, types, strict=True))))

    @cached_property
    def baskets(self) -> pa.Table:
        """The basket of currencies: the mean value of a source on the other markets.

        Columns: source, value, low, high (bootstrap, 95 %), markets (how many the mean is of).
        All null where no other market defines a value; an undefined one is left out of the mean,
        so that the basket of a source with fewer markets flatters it.
        """
        rows = []
        for other, source in enumerate(self.names):
            foreign = [market for market, name in enumerate(self.markets) if name != source]
            point = [self._shift(market, other, None) for market in foreign]
            defined = [
                market for market, value in zip(foreign, point, strict=True) if value is not None
            ]
            value = _mean([point[foreign.index(market)] for market in defined])
            resamples = [
                _mean([self._resampled[market, other][turn] for market in defined])
                for turn in range(_RESAMPLES)
            ]
            low, high = percentile_interval(resamples)
            rows.append(
                {
                    "source": source,
                    "value": value,
                    "low": low,
                    "high": high,
                    "markets": len(defined),
                }
            )
        kinds = [pa.string(), *[pa.float64()] * 3, pa.int64()]
        names = ["source", "value", "low", "high", "markets"]
        return pa.Table.from_pylist(rows, pa.schema(list(zip(names, kinds, strict=True))))

    @property
    def curves(self) -> pa.Table:
        """Learning curves: market, source, size, mean, low, high (corrected t, 95 %)."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("market", "source", "size", "mean", "low", "high")
        }
        for index, market in enumerate(self.markets):
            for source, sizes, scores in zip(self.names, self.sizes, self.scores, strict=True):
                mean, low, high = mean_interval(scores[:, :, index], TEST_SHARE)
                columns["market"] += [market] * len(sizes)
                columns["source"] += [source] * len(sizes)
                columns["size"] += sizes
                for name, values in (("mean", mean), ("low", low), ("high", high)):
                    columns[name] += values.tolist()
        return pa.table(columns)

    def __repr__(self) -> str:
        return (
            f"MarketValue({len(self.names)} sources on {len(self.markets)} markets, "
            f"{len(self.classes)} classes, {self.task}, {len(self.scores[0])} seeds)"
        )

    def __str__(self) -> str:
        width = max(len("market"), *map(len, self.names))
        sizes = [max(18, len(name)) for name in self.names]
        heads = [name.rjust(size) for name, size in zip(self.names, sizes, strict=True)]
        lines = [
            "One example of the column's source is worth so many of the market's own "
            f"({len(self.classes)} classes, {len(self.scores[0])} seeds)",
            "  ".join(["market".ljust(width), *heads]),
        ]
        table = self.table.to_pylist()
        for index, market in enumerate(self.markets):
            rows = table[index * len(self.names) : (index + 1) * len(self.names)]
            cells = [_format_value(row).rjust(size) for row, size in zip(rows, sizes, strict=True)]
            lines.append("  ".join([market.ljust(width), *cells]))
        cells = [
            _format_value(row).rjust(size)
            for row, size in zip(self.baskets.to_pylist(), sizes, strict=True)
        ]
        lines.append("  ".join(["basket".ljust(width), *cells]))
        lines += [
            f"undefined: {row['source']} on {row['market']}: {row['reason']}"
            for row in table
            if row["value"] is None
        ]
        return "\n".join(lines)

    def _value(self, market: int, other: int) -> dict[str, Any]:
        value, reason = self._shift_and_reason(market, other, None)
        if value is None or self.names[other] == self.markets[market]:
            return {"value": value, "low": value, "high": value, "reason": reason}
        low, high = percentile_interval(self._resampled[market, other])
        return {"value": value, "low": low, "high": high, "reason": reason}

    @cached_property
    def _resampled(self) -> dict[tuple[int, int], list[float | None]]:
        """By market and source, the value in every resample."""
        rng = generator(self.seed)
        seeds = len(self.scores[0])
        resamples = rng.integers(0, seeds, (_RESAMPLES, seeds))
        return {
            (market, other): [self._shift(market, other, rows) for rows in resamples]
            for market, name in enumerate(self.markets)
            for other, source in enumerate(self.names)
            if source != name
        }

    def _shift(self, market: int, other: int, rows: np.ndarray | None) -> float | None:
        return self._shift_and_reason(market, other, rows)[0]

    def _shift_and_reason(
        self, market: int, other: int, rows: np.ndarray | None
    ) -> tuple[float | None, str]:
        own = self.names.index(self.markets[market])
        curves = []
        for source in (own, other):
            scores = self.scores[source][:, :, market]
            mean = scores.mean(0) if rows is None else resampled_mean(scores, rows, TEST_SHARE)
            curves += [np.array(self.sizes[source]), mean]
        return shift(*curves)


def _mean(values: list[float | None]) -> float | None:
    """Of numbers that are all known; else None."""
    return (
        float(np.mean([value for value in values if value is not None]))
        if values and None not in values
        else None
    )


def _format_value(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "undefined"
    if row["low"] is None or row["low"] == row["high"]:
        return f"{row['value']:.2f}"
    return f"{row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})"
