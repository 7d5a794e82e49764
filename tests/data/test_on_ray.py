"""Blocks of rows by the workers of a Ray cluster: what one process gives."""

import pytest

from tests.cluster import facts_of

ON_A_CLUSTER = """
import os
import time

from curate import CurateError
from curate.data.on_ray import _AHEAD, blocks_here, blocks_on_ray

noted = folder / "noted"

def uneven(rows, start, stop):
    time.sleep(0.02 * (start % 3))
    return rows[start:stop]

rows = list(range(101))
for gpus in (0, 1):
    there = list(blocks_on_ray(rows, uneven, 2, gpus))
    facts[f"order, {gpus} GPUs"] = there == list(blocks_here(rows, uneven, 2))

def lost_once(rows, start, stop):
    mark = noted.with_name(f"lost {start}")
    if start == 40 and not mark.exists():
        mark.touch()
        os._exit(1)
    return rows[start:stop]

for gpus in (0, 1):
    there = list(blocks_on_ray(rows, lost_once, 2, gpus))
    facts[f"lost, {gpus} GPUs"] = there == list(blocks_here(rows, uneven, 2))
    (folder / "lost 40").unlink()

def refused(rows, start, stop):
    if start in (60, 80):
        raise CurateError(f"row {start}")
    return start

facts["refused"] = []
for blocks in (blocks_here, blocks_on_ray):
    try:
        list(blocks(rows, refused, 2))
    except CurateError as error:
        facts["refused"].append(str(error))

def note(rows, start, stop):
    (noted / str(start)).touch()
    return start

noted.mkdir()
many = blocks_on_ray(range(2000), note, 1)
taken = [next(many) for _ in range(3)]
time.sleep(3)
facts["ahead"] = [taken, len(list(noted.iterdir())), 16 * (2 * _AHEAD)]
many.close()
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What a process of its own says."""
    return facts_of(ON_A_CLUSTER, tmp_path_factory.mktemp("ray"))


@pytest.mark.parametrize("gpus", [0, 1])
def test_blocks_come_in_their_order(facts, gpus):
    assert facts[f"order, {gpus} GPUs"]


@pytest.mark.parametrize("gpus", [0, 1])
def test_what_a_lost_worker_had_is_done_again(facts, gpus):
    assert facts[f"lost, {gpus} GPUs"]


def test_the_first_block_that_is_refused_is_named(facts):
    assert facts["refused"] == ["row 60", "row 60"]


def test_what_nobody_takes_is_not_made(facts):
    taken, made, most = facts["ahead"]
    assert taken == [0, 1, 2]
    assert 16 <= made <= most
