"""The registry of formats: what help texts and documentation are made from."""

from pathlib import Path

import pytest

from curate.exporting import FORMATS


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_says_what_it_is_in_a_line(name):
    assert callable(FORMATS[name].write)
    assert 0 < len(FORMATS[name].help) <= 60
    assert "\n" not in FORMATS[name].help


def test_the_documentation_names_every_format():
    page = Path(__file__).parents[2] / "docs/exporting.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows[1:]] == list(FORMATS)
