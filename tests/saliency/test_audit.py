"""The audit: its table, and what it joins to."""

import numpy as np
import pyarrow as pa
import pytest
import torch

import curate
from curate import saliency
from curate.errors import CurateError
from tests.saliency.nets import build, images


def net_of():
    net = build()
    net.last = torch.nn.Linear(6 * 6 * 6, 4).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        net.last.weight.copy_(torch.randn(4, 216, generator=generator, dtype=torch.float64) / 8)
    return net.eval()


def sure_images():
    """Six images whose prediction a small change leaves alone."""
    x = images(16, 12)
    best = net_of()(x).topk(2, 1).values.detach()
    return x[(best[:, 0] - best[:, 1]).argsort(descending=True)[:6]]


X = sure_images()
KINDS = ("sampled", "attacked")


def audit(**options):
    options = {"k": 10, "epsilon": 0.005, "iterations": 5, "step": 0.002, **options}
    return saliency.fragility(net_of(), X, **options)


def test_the_table_has_the_measures_of_every_image():
    found = audit(certify=(0.02, 0.05))
    assert found.table.column_names == [
        *("example_id", "fragility_spearman", "fragility_topk", "fragility_shift"),
        *("certified_share", "certified_share_0.05"),
    ]
    before, after = (saliency.pixel_scores(maps) for maps in (found.maps, found.attacked.maps))
    columns = {name: found.table[name].to_numpy() for name in found.table.column_names}
    assert np.allclose(columns["fragility_spearman"], 1 - saliency.spearman(before, after))
    kept = saliency.topk_intersection(before, after, 10)
    assert np.allclose(columns["fragility_topk"], 1 - kept)
    assert np.allclose(columns["fragility_shift"], saliency.centre_shift(before, after))
    share = saliency.certify_pixels(net_of(), X, sigma=0.05).share
    assert np.allclose(columns["certified_share_0.05"], share)
    control = saliency.randomised_weights(net_of(), X)
    assert np.allclose(found.details["randomised_spearman"].to_numpy(), control)
    means = {row["measure"]: row for row in found.summary.to_pylist()}
    assert means["topk"]["mean"] == pytest.approx(kept.mean())
    assert means["topk"]["low"] <= kept.mean() <= means["topk"]["high"]
    random = saliency.random_signs(net_of(), X, k=10, epsilon=0.005)
    rho = saliency.spearman(before, saliency.pixel_scores(random.maps))
    assert np.allclose(found.details["random_spearman"].to_numpy(), rho)
    assert len(repr(found)) < 100
    assert "control: ρ with random weights" in str(found)
    assert "<pre>" in found._repr_html_()


def test_sensitivity_by_hand():
    """The largest relative change of the map: of ten draws, and of what the attack found."""
    found = audit(certify=())
    for row in range(len(X)):
        before = saliency.gradient(net_of(), X[row : row + 1])
        changes = []
        for draw in range(10):
            noise = torch.rand(X.shape[1:], generator=torch.Generator().manual_seed(draw))
            moved = (X[row : row + 1] + 0.005 * (2 * noise - 1)).clamp(0, 1)
            target = found.attacked.target[row : row + 1]
            changes.append((saliency.gradient(net_of(), moved, target) - before).norm())
        sampled = float(max(changes) / before.norm())
        attacked = float((found.attacked.maps[row] - before[0]).norm() / before.norm())
        kinds = (found.details[f"max_sensitivity_{kind}"][row].as_py() for kind in KINDS)
        assert tuple(kinds) == pytest.approx((sampled, attacked), rel=1e-6)


def test_the_curve_is_of_the_attacks_it_names():
    curve = saliency.fragility_curve(
        net_of(), X, ("gradient",), epsilons=(0.01, 0.03), k=10, iterations=3
    )
    before = saliency.pixel_scores(saliency.gradient(net_of(), X))
    for epsilon in (0.01, 0.03):
        for name in ("random signs", "topk", "centre"):
            terms = {"k": 10, "epsilon": epsilon}
            if name == "random signs":
                found = saliency.random_signs(net_of(), X, **terms)
            else:
                found = saliency.iterative_attack(
                    net_of(), X, objective=name, iterations=3, **terms
                )
            after = saliency.pixel_scores(found.maps)
            kept = found.found.numpy()
            means = {
                row["measure"]: row["mean"]
                for row in curve.table.to_pylist()
                if (row["attack"], row["epsilon"]) == (name, epsilon)
            }
            top = saliency.topk_intersection(before, after, 10)[kept].mean()
            assert means["topk"] == pytest.approx(top)
            assert means["shift"] == pytest.approx(
                saliency.centre_shift(before, after)[kept].mean()
            )


def test_the_result_joins_the_example_table_and_prunes(tmp_path):
    ids = [f"image {number}" for number in range(6)]
    found = audit(example_ids=ids, certify=())
    table = pa.table({"example_id": ids, "forgetting_events": pa.array([0, 1, 2, 3, 4, 5])})
    joined = curate.join(table, found.table)
    selection = curate.prune(joined, keep=3, by="fragility_topk")
    kept = selection.table.filter(selection.table["kept"])["example_id"].to_pylist()
    fragile = dict(zip(ids, found.table["fragility_topk"].to_pylist(), strict=True))
    assert min(fragile[one] for one in kept) >= sorted(fragile.values())[3] - 1e-12
    curate.write(joined, tmp_path / "joined.parquet")
    from typer.testing import CliRunner

    from curate.cli.app import app

    command = ["prune", str(tmp_path / "joined.parquet"), "--out", str(tmp_path / "kept.parquet")]
    ran = CliRunner().invoke(app, [*command, "--by", "fragility_topk", "--keep", "3"])
    assert ran.exit_code == 0, ran.output


def test_wrong_predictions_are_refused_or_left_unknown():
    predicted = net_of()(X).argmax(1)
    labels = predicted.clone()
    labels[2] = (labels[2] + 1) % 4
    with pytest.raises(CurateError, match="another class for 1 of 6 images, first image 2"):
        audit(labels=labels)
    found = audit(labels=labels, wrong="skip", certify=())
    assert [value is None for value in found.table["fragility_topk"].to_pylist()] == [
        *(False, False, True, False, False, False)
    ]
    assert len(found.images) == 5
    whole = audit(certify=())
    for name in ("fragility_topk", "fragility_shift"):
        a, b = (table[name].to_pylist() for table in (found.table, whole.table))
        assert a[3:] == pytest.approx(b[3:])


def test_strong_attacks_and_pictures():
    pytest.importorskip("matplotlib")
    found = saliency.fragility(
        net_of(), X, k=10, epsilon=0.03, iterations=4, attack="strong", certify=()
    )
    figure = found.plot(3)
    assert len(figure.axes) == 15
    curve = saliency.fragility_curve(
        net_of(), X, ("gradient",), epsilons=(0.01, 0.03), k=10, iterations=3
    )
    assert len(curve.table) == 2 * 3 * 5
    assert len(curve.plot().axes) == 2
    assert "random signs" in str(curve)
    assert len(repr(curve)) < 100


def test_bad_input():
    for match, options in [
        ("attack: 'weak'", {"attack": "weak"}),
        ("example_ids: 2 for 6", {"example_ids": [1, 2]}),
        ("labels: shape", {"labels": torch.zeros(2, dtype=torch.long)}),
        ("wrong: 'keep'", {"wrong": "keep"}),
        ("k: 145 pixels", {"k": 145}),
        ("epsilon: 0", {"epsilon": 0}),
    ]:
        with pytest.raises(CurateError, match=match):
            audit(**options)
    with pytest.raises(CurateError, match="epsilons: there are none"):
        saliency.fragility_curve(net_of(), X, epsilons=())
