"""The registry of formats: what help texts and documentation are made from."""

import pytest

from curate.exporting import FORMATS


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_says_what_it_is_in_a_line(name):
    assert callable(FORMATS[name].write)
    assert 0 < len(FORMATS[name].help) <= 60
    assert "\n" not in FORMATS[name].help
