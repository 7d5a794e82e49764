"""Nuisances of every family are named, with no wrong cause that is certain; benchmarks/bias.py
nuisances runs forty of them, ten draws each."""

import io

import numpy as np
import pytest
from PIL import Image

from curate.bias import Source, nuisance_audit
from curate.bias.audit.across_images import (
    odd_place_numbers,
    orientation,
    upper_against_lower,
)
from curate.bias.audit.appearance import (
    colour_balance,
    grain,
    hues,
    levels,
    odd_places,
    tone,
)
from curate.bias.audit.explained import explains, moved_by_a_turn, rank
from curate.bias.audit.layout import layout
from curate.bias.audit.same_scenes import SameScenes
from curate.bias.audit.shortcut import shortcut
from curate.bias.audit.traces import is_grey
from curate.features import hog
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


def spot(level):
    def change(values):
        values = values.copy()
        values[20, 31] = level
        return values

    return change


def marked(values):
    values = values.copy()
    values[54:57, 40:52:2] = 250
    return values


def lit_from_above(image):
    """As under a sky, by less than what pictures differ by."""
    return Image.fromarray(
        (np.asarray(image, np.float64) + np.linspace(30, -30, 64)[:, None, None])
        .clip(0, 255)
        .astype(np.uint8)
    )


def noisy(deviation):
    rng = np.random.default_rng(0)
    return lambda values: values + deviation * rng.normal(size=values.shape)


def grey(image):
    return image.convert("L").convert("RGB")


def daylit(image):
    """Light parts yellow, dark parts blue, as many scenes are."""
    light = np.asarray(image.convert("L"), np.float64)[..., None]
    return Image.fromarray((light + (light - 120) * [0.3, 0.1, -0.4]).clip(0, 255).astype(np.uint8))


def hue_turned(image):
    hue, *rest = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda level: (level + 14) % 256), *rest)).convert("RGB")


CASES = {
    "darker": ({"tone", "levels"}, points(lambda v: v * 0.7)),
    "white balance": ({"colour balance", "tone", "levels"}, points(lambda v: v * [1.1, 1, 0.9])),
    "5 bits": ({"levels"}, points(lambda v: v // 8 * 8)),
    "hot pixel": ({"fixed place"}, points(spot(255))),
    "a mark below": ({"fixed place"}, points(marked)),
    "transparent": ({"stored mode"}, lambda image: saved(image.convert("RGBA"))),
    "profile": ({"metadata"}, lambda image: saved(image, icc_profile=b"0" * 64)),
    "level": ({"writer"}, lambda image: saved(image, compress_level=1)),
}


@pytest.fixture(scope="module")
def pictures():
    return photographs(2 * COUNT, 5)


def assert_named(causes, pictures, change):
    """Of halves of which one is changed: a cause is named, and no other is certain."""
    sources = [
        Source("a", np.arange(COUNT), encoded=[saved(image) for image in pictures[:COUNT]]),
        Source("b", np.arange(COUNT), encoded=[change(image) for image in pictures[COUNT:]]),
    ]
    warnings = nuisance_audit(sources).warnings
    assert causes & {warning.cause for warning in warnings}
    assert {warning.cause for warning in warnings if warning.certain} <= causes


@pytest.mark.parametrize("case", CASES)
def test_the_family_is_named_and_no_wrong_cause_is_certain(case, pictures):
    causes, change = CASES[case]
    assert_named(causes, pictures, change)


GRAIN = {"grain or sharpness", "resizing filter"}
PREPARED = {
    "noise on grey": (GRAIN, grey, points(noisy(3))),
    "strong noise on grey": (GRAIN, grey, points(noisy(8))),
    "noise of each channel": (GRAIN, lambda image: image, points(noisy(6))),
    "4 bits on grey": ({"levels"}, grey, points(lambda v: v // 16 * 16)),
    "hue by 20°": (
        {"colour balance", "levels", "tone"},
        daylit,
        lambda image: saved(hue_turned(image)),
    ),
}


@pytest.mark.parametrize("case", PREPARED)
def test_the_family_is_named_on_pictures_of_one_kind(case, pictures):
    causes, prepare, change = PREPARED[case]
    prepared = [prepare(image) for image in pictures]
    assert_named(causes, prepared, change)


def test_grey_pictures_stay_grey_under_noise_and_tinted_ones_are_not():
    rng = np.random.default_rng(0)
    light = np.repeat(rng.integers(30, 220, (64, 64, 1)).astype(np.float32), 3, axis=2)
    for deviation in (0, 3, 6, 12, 25):
        assert is_grey(light + deviation * rng.normal(size=light.shape))
    assert not is_grey(light + np.array([0, 4, 0]))
    assert not is_grey(light + np.array([0, 4, 0]) + 6 * rng.normal(size=light.shape))
    assert is_grey(light[:3, :1])  # any size
    colourful = light * np.array([1.2, 1, 0.7])
    assert not is_grey(colourful + 25 * rng.normal(size=light.shape))
    assert not is_grey(100 + 12 * rng.normal(size=light.shape))  # noise is all there is
    assert is_grey(np.full((24, 24, 3), 7.0))


def test_noise_hardly_moves_what_is_measured_of_colour():
    rng = np.random.default_rng(0)
    picture = np.asarray(daylit(photographs(1, 3)[0]), np.float64)
    dull = (picture + 3 * rng.normal(size=picture.shape)).round().clip(0, 255).astype(np.uint8)
    plain, noisy_one = colour_balance(picture.astype(np.uint8)), colour_balance(dull)
    assert np.abs(plain[:9] - noisy_one[:9]).max() < 0.03
    assert colour_balance(dull[:1, :2]).shape == (13,)  # any size


@pytest.mark.parametrize("degrees", [-60, 20, 45])
def test_a_turn_of_the_hue_turns_the_axis_of_colours(degrees):
    """Colours turned about the grey axis by a matrix: twice the angle turns by twice as much."""
    picture = np.asarray(daylit(photographs(1, 4)[0]), np.float64)
    picture = 128 + 0.4 * (picture - 128)  # away from the ends
    angle = np.deg2rad(degrees)
    axis = np.full(3, 3**-0.5)
    cross = np.cross(np.eye(3), axis)
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3
    before, after = (
        hues(values.round().clip(0, 255).astype(np.uint8)) for values in (picture, picture @ turn)
    )
    moved = (after[2] - before[2] + np.pi) % (2 * np.pi) - np.pi
    expected = (2 * angle + np.pi) % (2 * np.pi) - np.pi
    assert min(abs(moved - expected), abs(moved + expected)) < 0.1
    assert before[6:].sum() <= 1
    assert hues(np.zeros((1, 1, 3), np.uint8)).shape == (24,)


def test_pictures_lit_from_above_show_that_they_are_upside_down():
    import torch

    pictures = np.stack([np.asarray(lit_from_above(image)) for image in photographs(160, 6)])
    pictures[80:] = pictures[80:, ::-1]
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    light = upper_against_lower(images)
    assert light.shape == (160, 96)
    assert torch.allclose(upper_against_lower(images.flip(2)), -light, atol=1e-5)
    y, train = np.repeat([0, 1], 80), np.arange(160) % 2 == 0
    answers = orientation(hog(images), light, y, train)
    assert answers.pair_accuracy(0, 1)[0] > 0.7
    alike = orientation(hog(images), light, np.arange(160) // 2 % 2, train)
    assert alike.pair_accuracy(0, 1)[1] > 0.001


def test_a_place_that_stands_out_to_both_sides_is_found():
    rng = np.random.default_rng(0)
    maps = rng.integers(-9, 10, (200, 32, 32)).astype(np.int8)
    maps[100:, 20, 11] = rng.choice([-60, 60], 100)
    y, train = np.repeat([0, 1], 100), np.arange(200) % 2 == 0
    found = odd_place_numbers(list(maps), y, train)
    assert (np.abs(found).max(0) == 60).sum() == 1


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
    assert "Other scenes, or a clearer cause beside it" in hedged.text


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


def test_tables_made_for_each_picture_are_one_way_of_writing():
    """Whatever their length is, which the standard's may happen to have."""
    pictures = [image.resize((side, side)) for side in (8, 16, 64) for image in photographs(12, 7)]
    for mode in ("RGB", "L"):
        made = {layout(saved(image.convert(mode), "JPEG", optimize=True)) for image in pictures}
        plain = {layout(saved(image.convert(mode), "JPEG")) for image in pictures}
        assert len(made) == len(plain) == 1
        assert made != plain


def test_what_brings_others_about_goes_first():
    assert explains("grey or colour", 1.0, "chroma subsampling", False, 1.0)
    assert explains("tone", 0.85, "resizing filter", True, 0.81)
    assert explains("tone", 0.85, "JPEG quality", True, 0.8)
    assert not explains("resizing filter", 0.81, "tone", True, 0.85)
    assert not explains("levels", 1.0, "tone", True, 0.7)
    assert explains("levels", 1.0, "JPEG quality", True, 1.0)
    assert not explains("JPEG quality", 0.99, "levels", True, 1.0)
    assert explains("crop offset", 1.0, "fixed place", True, 0.65)
    # a filter leaves other levels; what stands at the edges is turned
    assert explains("resizing filter", 0.7, "levels", True, 0.67)
    assert explains("resizing filter", 0.7, "levels", True, 0.72)
    assert explains("resizing filter", 0.75, "levels", True, 0.84)  # an unsharp mask
    assert not explains("resizing filter", 0.7, "levels", True, 0.81)
    assert not explains("resizing filter", 1.0, "levels", True, 1.0)
    assert explains("orientation", 0.73, "fixed place", True, 0.6)
    assert not explains("orientation", 0.85, "fixed place", True, 0.81)
    assert not explains("orientation", 0.6, "fixed place", True, 0.7)
    assert not moved_by_a_turn(1.0, 1.0)  # a mark that all pictures have leans them, too
    assert explains("stored mode", 1.0, "fixed place", True, 0.61)
    assert not explains("stored mode", 1.0, "fixed place", True, 0.9)
    assert explains("tone", 0.84, "border", True, 0.6)
    assert not explains("tone", 0.84, "border", True, 0.75)
    for accuracy in (0.55, 0.65, 0.79):
        assert rank("crop offset", True, 1.0) < rank("fixed place", True, accuracy)
    assert rank("fixed place", True, 0.9) < rank("crop offset", True, 1.0)
