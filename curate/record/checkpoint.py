"""What a recorder saves and how it is read back: whole and unchanged, or not at all."""

import hashlib
from collections.abc import Mapping
from copy import copy
from typing import Any

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.core import Core
from curate.record.inputs.growing import GrowingLookup
from curate.record.inputs.ids import RowLookup
from curate.record.inputs.kinds import KINDS
from curate.record.inputs.problems import Left
from curate.record.state import sums_width
from curate.record.windowed.registry import load_tensors, tensors_of

VERSION = 1

_MEND = "load one that a Recorder's state_dict() gave"


def state_of(core: Core, ids: RowLookup | GrowingLookup, track: str, epoch: int) -> dict[str, Any]:
    """What :meth:`curate.Recorder.state_dict` gives; ``ids`` is their digest and a checksum."""
    n = len(ids)
    state = None if core.state is None else core.state.first(n)
    found: dict[str, Any] = {
        "version": VERSION,
        "ids": ids.digest,
        "track": track,
        "epoch": epoch,
        "kind": core.kind,
        "words": None if state is None else state.packed.clone(),
        "sums": None if state is None or state.sums is None else state.sums.clone(),
        "history": None if core.history is None else core.history.state_dict(n),
    }
    if core.also:  # without, the state is what it was before there were any
        kept = {} if state is None else tensors_of(state.windowed)
        found |= {"also": list(core.also), "window": core.window, "windowed": kept}
    left = core.left(ids.unknown_string)
    if left.sentences(n):
        found["left"] = [list(left.ids), list(left.labels), left.full]
    if isinstance(ids, GrowingLookup):
        found["grown"] = ids.saved
    return {**found, "ids": f"{ids.digest}:{_checksum(found)}"}


def read_state(
    state: Any, old: Core, ids: RowLookup | GrowingLookup, track: str
) -> tuple[Core, RowLookup | GrowingLookup]:
    """A core made of a saved state, after everything in it was looked at, and the ids.

    Args:
        state: what :func:`state_of` gave, or was read from a file.
        old, ids, track: of the recorder that is to load it; not changed.

    Raises:
        CurateError: it belongs to another recorder, or was damaged.
    """
    if not isinstance(state, Mapping):
        raise CurateError(f"state: a {type(state).__name__}; {_MEND}")
    digest, _, checksum = str(state.get("ids")).partition(":")
    own = {
        "version": VERSION,
        "ids": ids.digest,
        "track": track,
        "history": old.history is not None,
        "also": list(old.also),
        "window": old.window,
    }
    for name, expected in own.items():
        value = state.get(name, {"also": [], "window": expected}.get(name))
        if name == "ids":
            value = digest
        elif name == "history":
            value = value is not None
        if value != expected:
            raise CurateError(
                f"state: its {name} is {value!r}, this Recorder's is {expected!r}; make the "
                "Recorder with the same ids and options"
            )
    if checksum and checksum != _checksum({**state, "ids": digest}):
        raise CurateError(f"state: it was changed since it was saved; {_MEND}, or an older one")
    try:
        if isinstance(ids, GrowingLookup):
            ids = GrowingLookup.of(state["grown"])
        else:
            ids = copy(ids)
            ids.unknown_string = next(
                (each for each in state.get("left", [[]])[0] if isinstance(each, str)), None
            )
        return _core_of(state, old, len(ids)), ids
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
        raise CurateError(f"state: it is damaged ({error}); {_MEND}, or an older one") from error


def _core_of(state: Mapping[str, Any], old: Core, n: int) -> Core:
    kind, words, sums = state["kind"], state["words"], state["sums"]
    _expect(type(state["epoch"]) is int and state["epoch"] >= 0, "epoch")
    _expect(kind is None or kind in KINDS, "kind")
    _expect(words is None or kind is not None, "words")
    history = old.history is not None
    core = Core(n, old.everything, history, old.device, old.also, old.window, old.grows)
    if words is not None:
        _expect(words.dtype == torch.int64 and words.shape == (n + 1,), "words")
        width = sums_width(kind == "sequence")
        if core.everything:
            _expect(sums.dtype == torch.float64 and sums.shape == (n + 1, width), "sums")
        else:
            _expect(sums is None, "sums")
        made = core.begin(kind, words.device)
        made.packed.copy_(words)
        if made.sums is not None:
            made.sums.copy_(sums)
        load_tensors(made.windowed, state.get("windowed", {}))
        if state.get("left") is not None:
            ids, labels, full = state["left"]
            core.set_left(Left(tuple(ids), tuple(labels), full))
    if core.history is not None:
        for segment in state["history"]:
            _check_segment(segment, n)
        core.history.load_state_dict(state["history"])
    return core


def _check_segment(segment: Mapping[str, Any], n: int) -> None:
    counts, outcomes = segment["counts"], segment["outcomes"]
    total = n
    if counts is not None:
        _expect(counts.dtype == torch.int64 and counts.ndim == 1 and len(counts) <= n, "history")
        _expect(bool((counts >= 0).all()), "history")
        total = int(counts.sum())
    whole = outcomes.dtype == torch.uint8 and outcomes.shape == ((total + 7) // 8,)
    _expect(whole and type(segment["ends_epoch"]) is bool, "history")


def _expect(right: bool, name: str) -> None:
    if not right:
        raise ValueError(f"its {name!r} is not what it should be")


def _checksum(state: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    _digest_into(digest, {key: state[key] for key in sorted(state)})
    return digest.hexdigest()


def _digest_into(digest: Any, value: Any) -> None:
    """Feed tensors by their bytes, containers part by part, all else by its repr."""
    if isinstance(value, Tensor):
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().reshape(-1).data)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            digest.update(f"{key}=".encode())
            _digest_into(digest, part)
    elif isinstance(value, (list, tuple)):
        digest.update(f"{len(value)}:".encode())
        for part in value:
            _digest_into(digest, part)
    else:
        digest.update(f"{value!r};".encode())
