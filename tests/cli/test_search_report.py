"""What ``curate run`` without ``--keep`` leaves to look at, and ``curate report`` of it."""

import json

import pytest

import curate
from tests.cli.test_cli import call

SHORT = ["--model", "mlp", "--by", "aum", "--epochs", "2", "--seeds", "2"]


@pytest.fixture(scope="module", params=["0.2", "0"])
def searched(request, tmp_path_factory):
    """A folder whose search certified something, and one whose search did not."""
    from curate.cli.app import main

    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.raises(SystemExit) as caught:
        main(["run", *SHORT, "--margin", request.param, "--out", str(folder)])
    assert not caught.value.code
    return folder, float(request.param) > 0


def test_the_report_shows_the_curve_and_can_be_written_again(searched, capsys):
    folder, certified = searched
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["policy"] is not None) == certified
    page, curve = ((folder / name).read_text() for name in ("report.html", "curve.svg"))
    assert ("The filled dot is" in page) == certified
    assert ("No smaller set is certified." in page) != certified
    assert ('class="certified hue0"' in curve) == certified
    for words in ("How small it can get", "What is claimed.", "What each class loses"):
        assert words in page
    assert "Full set" in page
    assert "Pruned set" in page
    for name in ("report.html", "curve.svg"):
        (folder / name).unlink()
    code, _, err = call(capsys, "report", folder)
    assert (code, err) == (0, "")
    assert (folder / "report.html").read_text() == page
    assert (folder / "curve.svg").read_text() == curve


def test_a_search_that_ran_out_of_time_has_no_report_and_says_so(tmp_path, capsys):
    code, out, err = call(capsys, "run", *SHORT, "--budget", "0.001s", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "no report" in out
    assert not (tmp_path / "report.html").exists()
    code, out, err = call(capsys, "report", tmp_path)
    assert code == 2
    assert "ended before two models were trained" in err
    code, out, _ = call(capsys, "run", *SHORT, "--budget", "0.001s", "--out", tmp_path, "--json")
    assert json.loads(out)["report"] is None


def test_names_of_classes_are_text_in_every_file(tmp_path, capsys):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("cat", "<b>dog<\u2215b>"):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(0, 128, (8, 8, 3), dtype=np.uint8) + 100 * (name == "cat")
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    options = ("--dataset", tmp_path / "photos", "--margin", "0.9", "--out", tmp_path / "run")
    code, _, err = call(capsys, "run", *SHORT, *options)
    assert (code, err) == (0, "")
    assert "<b>dog" not in (tmp_path / "run" / "report.html").read_text()
    rows = json.loads((tmp_path / "run" / "summary.json").read_text())["classes"]
    assert {row["name"] for row in rows} == {"cat", "<b>dog<\u2215b>"}
    assert isinstance(curate.read(tmp_path / "run" / "examples.parquet").num_rows, int)
