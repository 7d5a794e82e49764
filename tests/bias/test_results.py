"""Results of bias and stats: one line of repr, a readable print, a table, and == never raises."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
import torch

from curate import bias
from curate.bias import (
    cross_dataset,
    fit_linear,
    margin_vs_forgetting,
    market_value,
    name_that_dataset,
    nuisance_audit,
    two_sample,
)
from curate.bias.identification.result import Caution
from curate.stats import Difference, paired_difference
from tests.bias.worlds import world
from tests.example_tables import example_table


def pictures(count, level, seed=0):
    noise = np.random.default_rng(seed).integers(0, 40, (count, 3, 24, 24), np.uint8)
    return torch.from_numpy(noise + np.uint8(level))


def images():
    return {"dark": pictures(60, 0), "grey": pictures(50, 100)[:, :1]}


def worlds():
    return [world(name, 90, seed=seed) for seed, name in enumerate(("a" * 70, "b", "c"))]


def game(sources):
    return name_that_dataset(
        sources, train_size=30, test_size=15, repeats=2, permutations=19, folds=2
    )


def difference():
    rng = np.random.default_rng(0)
    return paired_difference(rng.random((5, 200)) < 0.9, rng.random((5, 200)) < 0.88)


def make_results():
    found = game(worlds())
    audit = nuisance_audit(images())
    table = example_table(60)
    tests = two_sample(np.random.default_rng(0).normal(size=(40, 3)), np.ones((30, 3)))
    return {
        "Identification": found,
        "NullControl": found.null_control,
        "MarginForgetting": margin_vs_forgetting(found, "a" * 70, table),
        "Audit": audit,
        "Equalised": audit.equalised,
        "Shortcut": audit.warnings[0],
        "Caution": Caution("null control", ("a" * 70, "b"), "A sentence."),
        "CrossDataset": cross_dataset(worlds(), seeds=2),
        "MarketValue": market_value(worlds(), seeds=2),
        "TwoSamples": tests,
        "TwoSample": tests.tests[0],
        "Power": tests.tests[0].power,
        "Linear": fit_linear(torch.randn(20, 4), torch.arange(20) % 2, 2),
        "Difference": difference(),
    }


@pytest.fixture(scope="module")
def results():
    return make_results(), make_results()


NAMES = [
    "Identification",
    "NullControl",
    "MarginForgetting",
    "Audit",
    "Equalised",
    "Shortcut",
    "Caution",
    "CrossDataset",
    "MarketValue",
    "TwoSamples",
    "TwoSample",
    "Power",
    "Linear",
    "Difference",
]
NO_TABLE = ("Equalised", "Shortcut", "Caution", "Power", "Linear")


@pytest.mark.parametrize("name", NAMES)
def test_results_are_small_and_readable(results, name):
    result, other = (made[name] for made in results)
    assert repr(result).startswith(f"{name}(")
    assert len(repr(result)) < 100
    assert "\n" not in repr(result)
    assert str(result)
    assert result == result
    assert (result == other) in (True, False)
    assert result != 1
    assert result is not None
    assert (result == None) is False  # noqa: E711
    if name not in NO_TABLE:
        assert isinstance(result.table, pa.Table)
        assert len(result.table) > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.table = None


def test_a_difference_of_one_seed_has_no_interval():
    one = paired_difference(np.ones((1, 4), bool), np.zeros((1, 4), bool))
    assert repr(one) == "Difference(mean=+1.0000, seeds=1)"
    assert str(one) == "+100.00 points (one seed: no interval)"
    assert one.table.to_pylist()[0]["low"] is None
    assert str(Difference(0.01, -0.01, 0.03, 0, 0, 0.01, 5)) == (
        "+1.00 points (95 % interval -1.00 to +3.00, 5 seeds)"
    )


def test_the_audit_takes_what_its_siblings_take(tmp_path):
    from PIL import Image

    for name, source in images().items():
        for row, picture in enumerate(source):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            array = picture.expand(3, -1, -1).permute(1, 2, 0).numpy()
            Image.fromarray(array).save(folder / f"{row}.png")
    of_arrays = nuisance_audit(images())
    assert "grey or colour" in [warning.cause for warning in of_arrays.warnings]
    of_folders = nuisance_audit([tmp_path / "dark", tmp_path / "grey"])
    assert "grey or colour" in [warning.cause for warning in of_folders.warnings]
    assert of_folders.warnings[0].sources in (("dark", "grey"), ("grey", "dark"))
    of_numpy = nuisance_audit({name: source.numpy() for name, source in images().items()})
    assert of_numpy.table == of_arrays.table


def test_market_curves_name_their_market():
    market = market_value(worlds(), seeds=2, market="b")
    assert set(market.curves["market"].to_pylist()) == {"b"}
    both = market_value(worlds(), seeds=2).curves.to_pylist()
    assert {(row["market"], row["source"]) for row in both} == {
        (market.name, source.name) for market in worlds() for source in worlds()
    }


def test_old_names_of_margin_vs_forgetting_warn():
    with pytest.warns(DeprecationWarning, match="is now curate.bias.margin_vs_forgetting"):
        assert bias.given_away is margin_vs_forgetting
    with pytest.warns(DeprecationWarning, match="is now curate.bias.MarginForgetting"):
        assert bias.GivenAway is bias.MarginForgetting
