"""Interrupts at every line, errors, threads and damaged states: nothing is lost or doubled."""

import copy
import os
import pickle
import sys
import threading

import numpy as np
import pytest
import torch

import curate

FOLDER = os.path.join(os.path.dirname(curate.__file__), "record")
N = 6


def steps(kind, count=8):
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        ids = torch.randint(0, N, (4,), generator=generator)
        if kind == "sequence":
            yield ids, torch.randn(4, 3, 2, generator=generator), torch.zeros(4, 3).long()
        else:
            yield ids, torch.randn(4, 3, generator=generator), ids % 3


class Interrupting:
    """Raises KeyboardInterrupt at the nth line of curate/record that is executed."""

    def __init__(self, nth):
        self.left = nth

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def run(kind, options, nth):
    """Steps, an epoch's end, a table, with an interrupt at one line; the interrupted is repeated.

    Returns the presentations of each example, and which step, if any, was interrupted.
    """
    recorder, interrupted = curate.Recorder(N, **options), None
    calls = [(recorder.update, step) for step in steps(kind)]
    calls[4:4] = [(recorder.flush, ())]
    calls += [(recorder.end_epoch, ()), (recorder.table, ())]
    trace = Interrupting(nth)
    for place, (call, arguments) in enumerate(calls):
        sys.settrace(trace)
        try:
            call(*arguments)
        except KeyboardInterrupt:
            interrupted = place
        finally:
            sys.settrace(None)
    return recorder, interrupted, trace.left <= 0


def expected(kind, left_out):
    recorder = curate.Recorder(N, history=True)
    for place, step in enumerate(steps(kind)):
        if place != left_out:
            recorder.update(*step)
    return recorder.table()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("multiclass", {"history": True}), ("sequence", {"history": True}),
     ("multiclass", {"also": ["dual", "tdds"], "window": 3})],
)  # fmt: skip
def test_an_interrupt_at_any_line_loses_and_doubles_nothing(kind, options):
    whole = expected(kind, None)
    names = ["presentations", "correct", "forgetting_events", "first_learned", "history"]
    names = [name for name in names if name != "history" or "history" in options]
    nth = 1
    while True:
        recorder, place, fired = run(kind, options, nth)
        if not fired:
            break
        step = None if place is None or place >= 10 or place == 4 else place - (place > 4)
        allowed = [whole] if step is None else [whole, expected(kind, step)]
        table = recorder.table()
        found = [table[name].to_pylist() for name in names]
        assert found in [[each[name].to_pylist() for name in names] for each in allowed], nth
        nth += 1 if nth < 60 else 3
    assert nth > 300


def test_a_flush_that_fails_is_done_by_the_next_call(monkeypatch):
    recorder, whole = curate.Recorder(N), expected("multiclass", None)
    for step in steps("multiclass"):
        recorder.update(*step)

    def full(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("curate.record.core.change_of", full)
        for _ in range(2):
            with pytest.raises(MemoryError):
                recorder.table()
    assert recorder.table()["loss_mean"].equals(whole["loss_mean"])


def test_an_odd_dtype_among_others_poisons_nothing():
    z, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    recorder = curate.Recorder(4)
    for labels in (y, y.to(torch.uint16), y.to(torch.int8), y.tolist(), y.numpy()):
        recorder.update(range(4), z, labels)
    assert recorder.table()["presentations"].to_pylist() == [5] * 4


@pytest.mark.parametrize("classes", [3, 100])
def test_threads_take_turns(classes):
    recorder, each = curate.Recorder(50, history=True), 150

    def work(seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(each):
            ids = torch.randint(0, 50, (8,), generator=generator)
            recorder.update(ids, torch.randn(8, classes, generator=generator), ids % 3)
            if seed == 0:
                recorder.flush()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table = recorder.table()
    assert sum(table["presentations"].to_pylist()) == 4 * each * 8
    assert table["label"].to_pylist() == [i % 3 for i in range(50)]
    assert [len(row) for row in table["history"].to_pylist()] == table["presentations"].to_pylist()


def test_a_recorder_is_copied_and_pickled_with_what_it_gathered():
    recorder = curate.Recorder(N, history=True)
    for step in steps("multiclass"):
        recorder.update(*step)
    for twin in (copy.deepcopy(recorder), pickle.loads(pickle.dumps(recorder))):
        assert twin.table().equals(recorder.table())
        twin.update(*next(steps("multiclass")))
        assert not twin.table().equals(recorder.table())


def recorded(**options):
    recorder = curate.Recorder(N, **options)
    for step in steps("multiclass"):
        recorder.update(*step)
    recorder.end_epoch()
    return recorder


def damages(state):
    """States that no Recorder gave, each with one thing wrong."""
    for key in ("words", "sums"):
        flipped = state[key].clone()
        flipped.view(-1)[3] += 1
        yield {**state, key: flipped}
        yield {**state, key: state[key][:-1]}
        yield {**state, key: None}
        yield {**state, key: "x"}
    bare = {**state, "ids": state["ids"].partition(":")[0]}  # as old states are
    yield {**bare, "words": bare["words"].double()}
    yield {**bare, "words": bare["words"][:-1]}
    yield {**bare, "sums": None}
    yield {**bare, "sums": bare["sums"][:, :-1]}
    yield {**bare, "kind": "x"}
    yield {**bare, "epoch": "x"}
    yield {**bare, "history": [{}]}
    yield {**bare, "history": [{**bare["history"][0], "counts": torch.full((N,), 99)}]}
    yield {key: value for key, value in bare.items() if key != "words"}
    yield {**state, "version": 2}
    yield None
    yield 7


def test_a_damaged_state_is_refused_and_changes_nothing():
    state, recorder = recorded(history=True).state_dict(), recorded(history=True)
    recorder.update(*next(steps("multiclass")))
    before = copy.deepcopy(recorder).table()
    for damaged in damages(state):
        with pytest.raises(curate.CurateError, match="state: "):
            recorder.load_state_dict(damaged)
        assert copy.deepcopy(recorder).table().equals(before)
    old = {**state, "ids": state["ids"].partition(":")[0]}
    recorder.load_state_dict(old)
    assert recorder.table().equals(recorded(history=True).table())


def test_what_was_left_out_goes_through_a_checkpoint(tmp_path):
    z = torch.randn(2, 3)
    for ids, given in ((2, [0, 99]), (["a", "b"], ["a", "zzz"])):
        first, second = curate.Recorder(ids), curate.Recorder(ids)
        first.update(given, z, [0, 1])
        first.update(given[:1] * 2, z, [0, 7])
        torch.save(first.state_dict(), tmp_path / "state.pt")
        second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        for recorder in (first, second):
            with pytest.raises(curate.CurateError, match=f"such as '?{given[1]}.*such as 7"):
                recorder.table()
            assert recorder.table()["presentations"].to_pylist() == [2, 0]


@pytest.mark.parametrize("strings", [False, True])
def test_a_recorder_that_grows_is_one_that_knew_all(strings, tmp_path):
    generator = torch.Generator().manual_seed(0)
    names = [f"shard/{i}" if strings else 7 * i - 30 for i in range(3000)]
    order = torch.randint(0, 3000, (40, 200), generator=generator)
    met = list(dict.fromkeys(order.flatten().tolist()))
    known, grows = (
        curate.Recorder([names[i] for i in met], history=True),
        curate.Recorder(history=True),
    )
    for place, picks in enumerate(order):
        ids = [names[i] for i in picks.tolist()]
        step = (ids, torch.randn(200, 3, generator=generator), picks % 3)
        known.update(*step)
        grows.update(*step)
        if place % 10 == 9:
            known.end_epoch()
            grows.end_epoch()
        if place == 15:
            torch.save(grows.state_dict(), tmp_path / "state.pt")
            grows = curate.Recorder(history=True)
            grows.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    a, b = known.table(), grows.table()
    for name in a.column_names:
        if a[name].type == "double":
            np.testing.assert_allclose(a[name].to_numpy(), b[name].to_numpy(), 1e-12)
        else:
            assert a[name].equals(b[name]), name
    with pytest.raises(curate.CurateError, match="example_id: .* ids of the other kind"):
        grows.update([1 if strings else "a"], torch.randn(1, 3), [0])
    assert len(curate.Recorder()) == 0
    assert len(curate.Recorder().table()) == 0
