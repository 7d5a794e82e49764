"""A long export says where it is, in a log too."""

from curate.exporting import progress as module
from curate.exporting.progress import progress


def exported(monkeypatch, pace):
    """What 100 examples are written as, one every ``pace`` seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    items = []
    for item in progress(range(100), 100):
        items.append(item)
        now[0] += pace
    return items


def test_a_log_gets_a_line_every_half_minute(monkeypatch, capsys):
    assert exported(monkeypatch, 7) == list(range(100))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "curate: exporting: 5 of 100 (5%)"
    assert len(lines) == 20


def test_a_short_export_is_silent(monkeypatch, capsys):
    assert exported(monkeypatch, 0.1) == list(range(100))
    assert capsys.readouterr().err == ""


def test_blocks_count_as_what_they_hold(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    for _ in progress(["abc", "de"], 5, len):
        now[0] += 40
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ["3", "5"]
