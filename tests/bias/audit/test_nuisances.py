"""Nuisances of every family are named, with no wrong cause that is certain; benchmarks/bias.py
nuisances runs forty of them, ten draws each."""

import io

import numpy as np
import pytest
from PIL import Image

from curate.bias import Source, nuisance_audit
from curate.bias.audit.appearance import grain, levels, odd_places, tone
from curate.bias.audit.explained import explains
from curate.bias.audit.layout import layout
from curate.bias.audit.same_scenes import SameScenes
from curate.bias.audit.shortcut import shortcut
from tests.bias.audit.test_audit import photographs

COUNT = 200


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def points(change):
    def changed(image):
        values = np.clip(np.round(change(np.asarray(image, np.float64))), 0, 255)
        return saved(Image.fromarray(values.astype(np.uint8)))

    return changed


def hot(values):
    values = values.copy()
    values[20, 31] = 255
    return values


CASES = {
    "darker": ({"tone", "levels"}, points(lambda v: v * 0.7)),
    "white balance": ({"colour balance", "tone", "levels"}, points(lambda v: v * [1.1, 1, 0.9])),
    "5 bits": ({"levels"}, points(lambda v: v // 8 * 8)),
    "hot pixel": ({"fixed place"}, points(hot)),
    "transparent": ({"stored mode"}, lambda image: saved(image.convert("RGBA"))),
    "profile": ({"metadata"}, lambda image: saved(image, icc_profile=b"0" * 64)),
    "level": ({"writer"}, lambda image: saved(image, compress_level=1)),
}


@pytest.fixture(scope="module")
def pictures():
    return photographs(2 * COUNT, 5)


@pytest.mark.parametrize("case", CASES)
def test_the_family_is_named_and_no_wrong_cause_is_certain(case, pictures):
    causes, change = CASES[case]
    sources = [
        Source("a", np.arange(COUNT), encoded=[saved(image) for image in pictures[:COUNT]]),
        Source("b", np.arange(COUNT), encoded=[change(image) for image in pictures[COUNT:]]),
    ]
    warnings = nuisance_audit(sources).warnings
    assert causes & {warning.cause for warning in warnings}
    assert {warning.cause for warning in warnings if warning.certain} <= causes


def test_names_and_labels_are_looked_at_where_they_are_given(pictures):
    files = [saved(image.resize((16, 16))) for image in pictures[:120]]
    sources = [
        Source(name, [f"{stem}{row}.png" for row in range(60)], encoded=own, labels=labels,
               class_names=("cat", "dog"))
        for name, stem, own, labels in (
            ("a", "IMG_", files[:60], np.repeat([0, 1], [50, 10])),
            ("b", "photo-", files[60:], np.repeat([0, 1], [10, 50])),
        )
    ]  # fmt: skip
    causes = {warning.cause for warning in nuisance_audit(sources).warnings}
    assert {"file names", "labels"} <= causes


def test_a_quoted_pair_keeps_its_hedge():
    """The better told pair is not certain: the certain one is quoted, or the hedge is there."""
    names = ["a", "b", "c"]
    both = shortcut("border", [(0, 1, 0.9, False), (0, 2, 0.7, True)], names, [None] * 3, True)
    assert both.certain
    assert both.accuracy == 0.7
    assert "'a' and 'c' at 70%" in both.text
    hedged = shortcut("border", [(0, 1, 0.9, False)], names, [None] * 3, True)
    assert not hedged.certain
    assert "The scenes differ, too" in hedged.text


def test_few_images_are_no_evidence_of_sameness():
    import torch

    x = torch.randn(400, 5, generator=torch.Generator().manual_seed(0))
    y, train = np.arange(400) % 2, np.arange(400) // 2 % 2 == 0
    assert SameScenes(x, y, train).compare(0, 1)[0]
    few = slice(40)
    assert not SameScenes(x[few], y[few], train[few]).compare(0, 1)[0]


def test_sameness_is_judged_on_equally_many_of_both():
    """A source of 400 against one of 40 that lies apart: unbalanced, all would be called large."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(440, 4, generator=generator)
    y = np.repeat([0, 1], [400, 40])
    x[torch.from_numpy(y == 1), 0] += 1.5
    right, asked = SameScenes(x, y, np.arange(440) % 2 == 0).accuracy(0, 1)
    assert asked == 40
    assert right / asked > 0.6


def test_what_is_measured():
    flat = np.full((32, 32, 3), 100, np.uint8)
    assert tone(flat)[0] == pytest.approx(100 / 255, abs=1e-6)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
    assert levels(noise)[0] > 0.98
    assert levels(noise // 8 * 8)[0] == 32 / 256
    assert (grain(noise)[:4] > grain(flat)[:4]).all()
    spot = flat.copy()
    spot[5, 9] = 255
    assert np.unravel_index(odd_places(spot).argmax(), (32, 32)) == (5, 9)
    large = np.full((300, 300), 50, np.uint8)
    large[200, 100] = 255
    assert np.unravel_index(odd_places(large).argmax(), (100, 100)) == (66, 33)
    assert tone(np.zeros((1, 2), np.uint8)).shape == (9,)  # any size


def test_layout_tells_options_and_not_pictures():
    one, other = photographs(2, 0)
    assert layout(saved(one)) == layout(saved(other))
    assert layout(saved(one)) != layout(saved(one, compress_level=1))
    assert layout(saved(one, "JPEG")) == layout(saved(other, "JPEG"))
    assert layout(saved(one, "JPEG")) != layout(saved(one, "JPEG", optimize=True))
    assert layout(saved(one, "JPEG", optimize=True)) == layout(saved(other, "JPEG", optimize=True))
    for torn in (b"", b"\xff\xd8", b"\xff\xd8\xff\xc4\x00\x00", b"\x89PNG\r\n\x1a\n\x00\x00"):
        assert isinstance(layout(torn), str)


def test_what_brings_others_about_goes_first():
    assert explains("grey or colour", 1.0, "chroma subsampling", False, 1.0)
    assert explains("tone", 0.85, "resizing filter", True, 0.81)
    assert explains("tone", 0.85, "JPEG quality", True, 0.8)
    assert not explains("resizing filter", 0.81, "tone", True, 0.85)
    assert not explains("levels", 1.0, "tone", True, 0.7)
