"""The search for the smallest set, and what it says."""

import json
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch

import curate
from curate import smallest_set
from curate.experiment import Candidate
from curate.train import load_model, predict, settings_for


@pytest.fixture(scope="module")
def sets():
    """The digits to train and to test on."""
    return curate.data.load("digits"), curate.data.load("digits", "test")


@pytest.fixture(scope="module")
def settings(sets):
    return settings_for(sets[0].shape, model="mlp", epochs=2, device="cpu")


@pytest.fixture(scope="module")
def finished(sets, settings, tmp_path_factory):
    """A search with everything fixed: its folder and result."""
    folder = tmp_path_factory.mktemp("search")
    fixed = {"by": "aum", "sizes": [0.3, 0.8], "seeds": 3, "margin": 0.1}
    return folder, fixed, smallest_set(*sets, settings=settings, folder=folder, **fixed)


def nearest_mean(rows, seed, recorder, *, on, steps=None):
    """A loop of one's own: the class of the nearest class mean, in a noisy space."""
    values, labels = DATA.arrays()
    values, labels = values[rows].float(), labels[rows]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(values.shape[1], generator=generator) + 0.5
    classes = int(DATA.labels.max()) + 1
    means = torch.stack([values[labels == c].mean(0) for c in range(classes)])

    def logits(inputs):
        return -((inputs - means) * noise).square().sum(2)

    for _ in range(steps or 2):
        if recorder is not None:
            recorder.update(DATA.ids[rows], logits(values[:, None]), labels)
            recorder.end_epoch()
    inputs, truth = on.arrays()
    return (logits(inputs.float()[:, None]).argmax(1) == truth).numpy()


def blobs(n, classes=3, spread=2.0, seed=0):
    """Features around one mean per class, as an example set."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    values = torch.randn(n, 5, generator=generator) + spread * torch.eye(classes, 5)[labels]
    return curate.data.ExampleSet(np.arange(n), labels.numpy(), None, shape=(5,), values=values)


DATA = blobs(240)


def test_every_run_is_in_the_table(sets, finished):
    _, _, result = finished
    rows = result.table.to_pylist()
    assert {(row["arm"], row["size"]) for row in rows} == {
        ("all", 1297), ("aum", 1038), ("random", 1038), ("aum", 389), ("random", 389),
    }  # fmt: skip
    assert len(rows) == 15
    assert {row["protocol"] for row in rows} == {"epochs"}
    assert {row["steps"] for row in rows if row["size"] == 389} == {2 * 13}
    curve = {(row["arm"], row["size"]): row for row in result.curve.to_pylist()}
    of_all = [row["accuracy"] for row in rows if row["arm"] == "all"]
    assert curve["all", 1297]["accuracy"] == pytest.approx(np.mean(of_all))
    assert curve["aum", 389]["share"] == pytest.approx(389 / 1297)


def test_the_words_stand_over_a_certificate(finished):
    _, _, result = finished
    claims = {(row["claim"], row["size"]): row for row in result.claims.to_pylist()}
    assert claims["as good as all", 1038]["level"] == 0.04
    assert claims["better than random", 389]["level"] == 0.025 / 2
    text = " ".join(str(result).split())
    if result.smallest is None:
        assert "Nothing smaller than all 1,297 is shown to do." in text
        assert "You need" not in text
        assert result.selection is None
    else:
        size = result.smallest.size
        assert f"You need {size:,} of 1,297 examples" in text
        assert claims["as good as all", size]["claimed"]
        assert len(result.selection) == size
        assert all(
            claims["as good as all", larger]["claimed"] for larger in (1038, 389) if larger >= size
        )
    assert "By aum" in text or "by aum" in text  # nothing was chosen, so nothing says so


def test_a_claim_never_jumps_over_a_size_that_failed(finished):
    _, _, result = finished
    shown = [row for row in result.claims.to_pylist() if row["claim"] == "as good as all"]
    claimed = [row["claimed"] for row in sorted(shown, key=lambda row: -row["size"])]
    assert claimed == sorted(claimed, reverse=True)


def test_called_again_it_trains_nothing_and_looks_no_more(sets, settings, finished, monkeypatch):
    folder, fixed, result = finished
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    again = smallest_set(*sets, settings=settings, folder=folder, **fixed)
    assert again.table.equals(result.table)
    assert again.claims.equals(result.claims)
    assert again.looks == result.looks == 1


def test_another_certificate_is_another_look_and_says_so(sets, settings, finished):
    folder, fixed, _ = finished
    other = smallest_set(*sets, settings=settings, folder=folder, **{**fixed, "margin": 0.2})
    assert other.looks == 2
    claims = other.claims.to_pylist()
    assert {row["level"] for row in claims if row["claim"] == "as good as all"} == {0.005}
    assert "look 2 at this test set" in " ".join(str(other).split())
    assert len(next(iter(json.loads((folder / "looks.json").read_text()).values()))) == 2


def test_weights_of_every_certified_arm_can_be_used(sets, finished):
    folder, _, result = finished
    values, labels = sets[1].arrays()
    for one, arm in (
        (result.certified.everything[1], "all"),
        (result.certified.sizes[1].pruned[1], "aum-389"),
    ):
        model = load_model(folder, arm, 1)
        assert ((predict(model, values) == labels).numpy() == one.right).all()
    with pytest.raises(curate.CurateError, match="arm: no model at .*there are models/arm="):
        load_model(folder, "el2n-389", 1)


def test_classes_describe_what_each_loses(finished):
    _, _, result = finished
    classes = result.classes.to_pylist()
    assert sorted(row["label"] for row in classes) == list(range(10))
    losses = [row["loss"] for row in classes]
    assert losses == sorted(losses, reverse=True)
    assert all(row["low"] <= row["loss"] <= row["high"] for row in classes)
    total = sum(row["loss"] * row["examples"] for row in classes) / 500
    one = result.smallest or result.certified.sizes[0]
    assert total == pytest.approx(one.as_good.loss)


def test_a_loop_of_ones_own_is_searched_and_certified(tmp_path):
    result = smallest_set(DATA, blobs(900, seed=1), train=nearest_mean, seeds=3, folder=tmp_path)
    assert result.candidate is not None
    assert len(result.search) >= 5
    assert {row["seeds"] for row in result.search.to_pylist()} == {1, 2, 3}
    assert set(result.table["arm"].to_pylist()) >= {"all", "random"}
    assert result.settings is None


def test_equal_steps_are_those_of_the_whole_set():
    fixed = {"by": "margin", "sizes": [0.5], "seeds": 2, "protocol": "steps"}
    result = smallest_set(DATA, blobs(90, seed=1), train=nearest_mean, **fixed)
    assert set(result.table["steps"].to_pylist()) == {2}
    trained = settings_for((5,), epochs=3)
    ours = smallest_set(DATA, blobs(90, seed=1), settings=trained, **fixed)
    assert len(set(ours.table["steps"].to_pylist())) == 1
    assert set(ours.table["protocol"].to_pylist()) == {"steps"}


def test_processes_give_the_same_results_bit_for_bit(sets, settings):
    fixed = {"by": "el2n", "sizes": [0.2], "seeds": 2, "settings": settings}
    here = smallest_set(*sets, **fixed)
    with joblib.parallel_config("loky", n_jobs=2):
        there = smallest_set(*sets, **fixed)
    for one, other in zip(here.runs, there.runs, strict=True):
        assert (one.arm, one.seed) == (other.arm, other.seed)
        assert (one.right == other.right).all()
    assert here.certified.table.equals(there.certified.table)


def test_workers_that_started_elsewhere_write_to_the_folder(tmp_path, monkeypatch):
    fixed = {"by": "aum", "sizes": [0.5], "seeds": 2, "settings": settings_for((5,), epochs=1)}
    for name in ("first", "second"):  # joblib uses its processes again
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with joblib.parallel_config("loky", n_jobs=2):
            smallest_set(DATA, blobs(60, seed=1), folder="here", **fixed)
        assert len(list((tmp_path / name / "here" / "models").rglob("*.pt"))) == 6


def test_nothing_is_certified_where_nothing_was_learned():
    shuffled = blobs(240, spread=0.0)
    result = smallest_set(
        shuffled, blobs(300, spread=0.0, seed=1), by="aum", sizes=[0.9], seeds=3, margin=0.5,
        settings=settings_for((5,), epochs=1),
    )  # fmt: skip
    text = " ".join(str(result).split())
    assert "You need" not in text
    assert "not shown to be better than always answering the largest class" in text
    assert not any(result.claims["claimed"].to_pylist())


def test_nothing_is_certified_where_logits_are_not_finite():
    huge = settings_for((5,), epochs=2, model="mlp")
    bad = curate.train.Settings(**{**huge.to_dict(), "lr": 1e30})
    result = smallest_set(
        DATA, blobs(60, seed=1), by=np.arange(240.0), sizes=[0.5], seeds=2, settings=bad
    )
    assert "NaN or infinite" in " ".join(result.verdicts)
    assert not any(result.claims["claimed"].to_pylist())


def test_time_that_runs_out_is_said_and_the_search_goes_on(sets, settings, tmp_path):
    fixed = {"by": "aum", "sizes": [0.5], "seeds": 2, "settings": settings, "folder": tmp_path}
    stopped = smallest_set(*sets, **fixed, budget=1e-6)
    assert "time ran out" in " ".join(stopped.verdicts).lower()
    assert stopped.selection is None
    assert len(smallest_set(*sets, **fixed).table) == 6


def test_a_set_without_a_test_set_gives_a_fifth_of_itself():
    result = smallest_set(
        DATA, by="aum", sizes=[0.5], seeds=2, settings=settings_for((5,), epochs=1)
    )
    assert result.examples == 192
    assert len(result.labels) == 48


def test_an_array_ranks_the_examples_of_the_data_set():
    scores = np.zeros(240)
    scores[:120] = 1 + np.arange(120)
    result = smallest_set(
        DATA, blobs(60, seed=1), by=[Candidate(scores), Candidate("aum")], sizes=[0.5], seeds=2,
        settings=settings_for((5,), epochs=1), stratify=None, margin=0.9,
    )  # fmt: skip
    assert set(result.search["candidate"].to_pylist()) <= {"array", "aum"}
    fixed = smallest_set(
        DATA, blobs(60, seed=1), by=scores, sizes=[0.5], seeds=2, margin=0.9, stratify=None,
        settings=settings_for((5,), epochs=1),
    )  # fmt: skip
    assert fixed.certified.sizes[0].selection.kept_ids.to_pylist() == list(range(120))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": 1.5}, "margin: 1.5"),
        ({"seeds": 1}, "seeds: 1; give at least 2"),
        ({"sizes": []}, "sizes: an empty list"),
        ({"sizes": [1.0]}, "fewer than all"),
        ({"sizes": [2.5]}, "keep: 2.5"),
        ({"sizes": "some"}, "sizes: 'some'"),
        ({"protocol": "days"}, "protocol: 'days'"),
        ({"budget": "soon"}, "budget: 'soon'"),
        ({"budget": -1}, "budget: -1"),
        ({"by": "beauty"}, "by: 'beauty'"),
        ({"by": []}, "by: an empty list"),
        ({"by": "random"}, "by: 'random' is the arm"),
        ({"by": ["aum", "aum"]}, "called the same"),
        ({"by": Candidate("aum", "luck")}, "strategy: 'luck'"),
        ({"by": Candidate("aum", "window", {"drop_hardest": 3})}, "drop_hardest: 3"),
        ({"stratify": "colour"}, "stratify: 'colour'"),
        ({"train": nearest_mean, "settings": settings_for((5,))}, "settings: they are of"),
    ],
)
def test_a_wrong_argument_is_named_before_any_training(options, words, monkeypatch):
    monkeypatch.setattr("curate.experiment.training.trainers.train", None)
    with pytest.raises(curate.CurateError, match=words):
        smallest_set(DATA, blobs(60, seed=1), **options)


def silent(rows, seed, recorder, *, on, steps=None):
    return np.ones(len(on), bool)


def wordy(rows, seed, recorder, *, on, steps=None):
    return "all of them"


@pytest.mark.parametrize(
    ("train", "words"),
    [(silent, "train: it recorded nothing"), (wordy, r"train: it returned <U11 of shape \(\)")],
)
def test_a_trainer_that_does_not_keep_its_word_is_told(train, words):
    with pytest.raises(curate.CurateError, match=words):
        smallest_set(DATA, blobs(60, seed=1), train=train, by="aum", sizes=[0.5], seeds=2)


def test_a_proxy_ranks_what_the_trainer_is_certified_on(sets, settings, finished, tmp_path):
    """The tables of the proxy decide which examples, the trainer's models how good they are."""
    _, fixed, own = finished
    cheap = replace(settings, model="mlp", epochs=1)
    result = smallest_set(*sets, settings=settings, proxy=cheap, folder=tmp_path, **fixed)

    tables = []
    for seed in range(3):
        recorder = curate.Recorder(sets[0].ids, history=True)
        _, table = curate.experiment.run_arm("any", seed, *sets, cheap, recorder=recorder)
        tables.append(table)
    for one in result.certified.sizes:
        chosen = curate.prune(curate.merge(tables), one.size, "aum", stratify="label")
        assert chosen.table["kept"].equals(one.selection.table["kept"])
        run = one.pruned[1]
        rows = np.flatnonzero(chosen.table["kept"].to_numpy())
        expected, _ = curate.experiment.run_arm("any", run.seed, *sets, settings, rows=rows)
        assert np.array_equal(run.right, expected.right)
    assert {run.arm for run in result.certified.sizes[0].pruned} == {"proxy-aum-1038"}
    for ours, theirs in zip(result.certified.everything, own.certified.everything, strict=True):
        assert np.array_equal(ours.right, theirs.right)
    if result.smallest is not None:
        assert "By aum of a proxy" in str(result)
    again = smallest_set(*sets, settings=settings, proxy=cheap, folder=tmp_path, **fixed)
    assert again.table.equals(result.table)
    assert again.looks == 1
    other = smallest_set(*sets, settings=settings, folder=tmp_path, **fixed)
    assert other.looks == 2  # another way to choose is another look


def test_a_loop_that_records_nothing_may_have_a_proxy_that_does():
    def silent(rows, seed, recorder, *, on, steps=None):
        return nearest_mean(rows, seed, None, on=on, steps=steps)

    with joblib.parallel_config("sequential"):
        result = smallest_set(
            DATA, blobs(90, seed=1), train=silent, proxy=nearest_mean, by="aum", seeds=2, margin=0.5
        )
    assert result.score == "aum"
    assert len(result.search)
    assert {run.arm for run in result.certified.sizes[0].pruned} == {
        f"proxy-aum-{result.certified.sizes[0].size}"
    }


@pytest.mark.parametrize("name", ["train", "settings", "proxy"])
@pytest.mark.parametrize("wrong", [3, "mlp"])
def test_what_cannot_train_is_named(sets, name, wrong):
    with pytest.raises(curate.errors.CurateError, match=f"^{name}: {wrong!r} is no trainer"):
        smallest_set(*sets, by="aum", sizes=[0.5], seeds=2, **{name: wrong})
