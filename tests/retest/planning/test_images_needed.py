"""The planner: so many images do show the drop, as often as asked."""

import re

import numpy as np
import pytest

from curate import CurateError
from curate.retest import images_needed
from curate.stats import difference_interval


@pytest.mark.parametrize(
    ("accuracy", "drop", "original", "power"),
    [(0.93, 0.03, 10_000, 0.8), (0.76, 0.02, 50_000, 0.9), (0.6, 0.1, 500, 0.8)],
)
def test_so_many_images_show_it(accuracy, drop, original, power):
    """Seeded, 20,000 pairs of sets: a standard error of 0.3 points; 1 is tolerated."""
    n = images_needed(accuracy, drop, original_images=original, power=power)
    rng = np.random.default_rng(0)
    old = rng.binomial(original, accuracy, 20_000) / original
    new = rng.binomial(n, accuracy - drop, 20_000) / n
    low, _ = difference_interval(old, original, new, n)
    assert (low > 0).mean() == pytest.approx(power, abs=0.01)


def test_an_endless_original_set_needs_fewer():
    endless = images_needed(0.93, 0.03)
    assert endless < images_needed(0.93, 0.03, original_images=2000)
    assert endless == images_needed(0.93, 0.03, original_images=10**7)


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ((1.2, 0.1), {}, "accuracy: 1.2"),
        ((0.9, 0), {}, "drop: 0"),
        ((0.9, 0.95), {}, "drop: 0.95"),
        ((0.9, 0.1), {"power": 1}, "power: 1"),
        ((0.9, 0.1), {"original_images": 0}, "original_images: 0"),
        (
            (0.9, 0.01),
            {"original_images": 1000},
            "leave the original accuracy too uncertain to show a drop of 0.01",
        ),
    ],
)
def test_bad_input(given, options, said):
    with pytest.raises(CurateError, match=re.escape(said)):
        images_needed(*given, **options)


def test_the_number_in_the_message_is_the_least():
    with pytest.raises(CurateError, match=r"it takes [\d,]+ or more") as caught:
        images_needed(0.9, 0.05, original_images=50)
    least = int(re.findall(r"it takes ([\d,]+)", str(caught.value))[0].replace(",", ""))
    with pytest.raises(CurateError):
        images_needed(0.9, 0.05, original_images=least - 1)
    assert images_needed(0.9, 0.05, original_images=least + 20) > 1000
