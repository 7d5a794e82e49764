"""Long work says where it is, in a terminal and in a log."""

import pytest

from curate.cli import output


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute(clock, capsys):
    with output.progress_bar(quiet=False) as bar:
        step = output.progress_callback(bar, "training")
        for done in range(1, 101):
            clock[0] += 7
            step(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "curate: training: 5 of 100 (5%), about 11 min left"
    assert len(lines) == 20
    assert lines[-1] == "curate: training: 100 of 100 (100%)"


def test_short_work_and_json_are_silent(clock, capsys):
    for quiet, pace in ((False, 0.1), (True, 60)):
        with output.progress_bar(quiet) as bar:
            step = output.progress_callback(bar, "searching")
            for done in range(1, 101):
                clock[0] += pace
                step(done, 100)
    assert capsys.readouterr().err == ""


def test_hours_are_hours(clock, capsys):
    with output.progress_bar(quiet=False) as bar:
        clock[0] = 3600
        task = bar.add_task("training", total=None)
        bar.update(task, completed=40.5, total=43)  # gone on from there
        clock[0] = 7200
        bar.update(task, completed=41.5, total=43.5, description="certifying")
    assert capsys.readouterr().err == (
        "curate: training: 40 of 43 (94%)\n"
        "curate: certifying: 42 of 44 (95%), about 2 h 0 min left\n"
    )
