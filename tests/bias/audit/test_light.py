"""Light that falls unevenly is a cause of its own, and no border, levels or tone."""

import numpy as np
import pytest

from curate.bias.audit.appearance import odd_places, specks, uneven_light
from curate.bias.audit.explained import explains, lit_by_a_turn, rank
from curate.bias.audit.traces import read_traces
from curate.bias.audit.verdicts import Verdict, is_faint_beside
from tests.bias.audit.test_audit import photographs
from tests.bias.audit.test_nuisances import COUNT, GRAIN, assert_named, points

ROWS, COLUMNS = np.mgrid[-1:1:64j, -1:1:64j]


def salted(seed=0):
    rng = np.random.default_rng(seed)
    return lambda values: np.where(rng.random((64, 64, 1)) < 0.004, 255, values)


CASES = {
    "from the left": ({"uneven light"}, points(lambda v: v - 30 * COLUMNS[..., None])),
    "from a corner": (
        {"uneven light"},
        points(lambda v: v * (1 - 0.3 * (ROWS + COLUMNS)[..., None])),
    ),
    "darker at the edges": (
        {"uneven light"},
        points(lambda v: v * (1 - 0.35 * (ROWS**2 + COLUMNS**2)[..., None])),
    ),
    "salt": (GRAIN, points(salted())),
}


@pytest.mark.parametrize("case", CASES)
def test_light_and_specks_are_named_and_nothing_that_they_bring_about(case):
    causes, change = CASES[case]
    assert_named(causes, photographs(2 * COUNT, 8), change)


def test_light_is_a_parabola_by_least_squares():
    picture = np.asarray(photographs(1, 2)[0])
    inner = (picture.astype(np.float64) @ [0.299, 0.587, 0.114])[4:-4, 4:-4]
    seen = (inner - inner.mean()) / (inner.std() + 4)
    place = np.linspace(-1, 1, 56)
    along_rows = np.polynomial.Polynomial.fit(place, seen.mean(0), 2, domain=[-1, 1]).coef
    along_columns = np.polynomial.Polynomial.fit(place, seen.mean(1), 2, domain=[-1, 1]).coef
    expected = [along_rows[1], along_rows[2], along_columns[2]]
    assert uneven_light(picture) == pytest.approx(expected, abs=1e-5)


def test_neither_brightness_nor_contrast_nor_a_turn_of_the_picture_is_uneven_light():
    picture = np.asarray(photographs(1, 3)[0]) // 2 + 40  # away from the ends
    plain = uneven_light(picture)
    assert uneven_light(picture + 30) == pytest.approx(plain, abs=1e-4)
    assert uneven_light((picture * 0.7).round().astype(np.uint8)) == pytest.approx(plain, abs=0.1)
    assert uneven_light(picture[::-1]) == pytest.approx(plain, abs=1e-4)
    assert uneven_light(picture[:, ::-1]) == pytest.approx(plain * [-1, 1, 1], abs=1e-4)
    framed = picture.copy()
    framed[0], framed[:, -1] = 255, 0
    assert uneven_light(framed) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (5, 70, 3), (8, 8), (300, 200, 3)])
def test_any_size_has_numbers(shape):
    assert np.isfinite(uneven_light(np.full(shape, 9, np.uint8))).all()
    assert uneven_light(np.full(shape, 9, np.uint8)).shape == (3,)


@pytest.mark.parametrize("slope", [-2.0, 0.5, 3.0])
def test_a_slope_of_light_is_no_border_and_a_frame_on_it_is(slope):
    light = 128 + slope * np.arange(-20, 20)[:, None] + np.zeros((40, 48))
    picture = np.round(light).astype(np.uint8)
    steps = read_traces(picture).border[::2]
    assert np.abs(steps).max() < 1
    picture[:3] = 250
    framed = read_traces(picture).border[::2]
    assert framed[0] > 10
    assert np.abs(framed[2]) < 1  # the side across


def test_specks_are_counted_wherever_they_are():
    flat = np.full((64, 64), 100, np.uint8)
    flat[[3, 40], [9, 60]] = 255
    share = np.log(2 / 64**2 + 1e-4)
    assert specks(odd_places(flat))[2] == pytest.approx(share)
    assert specks(odd_places(np.zeros((2, 3), np.uint8))) == pytest.approx([np.log(1e-4)] * 3)


def test_light_goes_before_what_it_changes_and_after_what_parts_clearly_better():
    assert explains("uneven light", 0.62, "levels", True, 0.79)
    assert not explains("uneven light", 0.7, "levels", True, 1.0)  # few levels are a fact
    assert explains("uneven light", 0.7, "border", True, 0.65)
    assert not explains("uneven light", 0.7, "border", True, 0.99)
    assert explains("uneven light", 0.66, "orientation", True, 0.63)
    assert explains("uneven light", 0.61, "colour balance", True, 0.62)
    assert not explains("uneven light", 0.66, "orientation", True, 0.8)
    # turned by 90°, the light of the sky comes from a side
    assert explains("orientation", 0.65, "uneven light", True, 0.69)
    assert explains("aspect ratio", 0.67, "uneven light", True, 0.69)
    assert lit_by_a_turn(0.69, 0.65)
    assert not lit_by_a_turn(0.76, 0.55)
    assert rank("uneven light", True, 0.62) < rank("levels", True, 0.78)
    assert explains("tone", 0.86, "uneven light", True, 0.63)
    assert explains("grain or sharpness", 0.81, "uneven light", True, 0.6)
    assert not explains("levels", 0.79, "uneven light", True, 0.62)


def test_a_faint_sign_beside_a_clear_cause_of_the_same_two_is_not_certain():
    def sign(accuracy, cause="colour balance", second=1, certain=True, of_pixels=True):
        return Verdict(cause, 0, second, accuracy, 1e-6, of_pixels, certain)

    cut = sign(0.98, "crop offset")
    assert is_faint_beside(sign(0.6), [sign(0.6), cut])
    assert not is_faint_beside(sign(0.75), [cut])  # clear by itself
    assert not is_faint_beside(sign(0.6), [sign(0.8, "crop offset")])
    assert not is_faint_beside(sign(0.6, second=2), [cut])
    assert not is_faint_beside(sign(0.6), [sign(0.98, "crop offset", certain=False)])
    assert not is_faint_beside(sign(0.6, "metadata", of_pixels=False), [cut])
