"""``curate identify`` from folders and Parquet files to JSON, tables, pictures and a report."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import curate
from tests.cli.test_cli import call

COUNT = 60


def scene(rng):
    """A smooth picture with some texture, 48×48."""
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    pixels = np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray((pixels + rng.normal(0, 9, pixels.shape)).clip(0, 255).astype(np.uint8))


def save_folder(place, images, quality, classes=()):
    for position, image in enumerate(images):
        folder = place / classes[position % len(classes)] if classes else place
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{position:03}.jpg", quality=quality)


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [scene(rng) for _ in range(2 * COUNT)]


def test_a_shortcut_is_named_in_json(tmp_path, capsys, scenes):
    save_folder(tmp_path / "fine", scenes[:COUNT], 95)
    save_folder(tmp_path / "coarse", scenes[COUNT:], 60)
    out = tmp_path / "out"
    sources = (tmp_path / "fine", tmp_path / "coarse")
    code, text, err = call(capsys, "identify", *sources, "--repeats", 2, "--out", out, "--json")
    assert (code, err) == (0, "")
    found = json.loads(text)
    assert {"accuracy", "chance", "interval", "p_value", "per_source", "warnings"} <= set(found)
    assert found["chance"] == 0.5
    assert found["interval"][0] <= found["accuracy"] <= found["interval"][1]
    assert [row["source"] for row in found["per_source"]] == ["fine", "coarse"]
    (warning,) = [each for each in found["warnings"] if each["cause"] == "JPEG quality"]
    assert "'fine' (95)" in warning["text"]
    assert "'coarse' (60)" in warning["text"]
    assert "cross-dataset" in found["left_out"]  # no labels
    table = curate.read(out / "probabilities.parquet")
    assert len(table) == 2 * COUNT
    assert np.allclose(table["p_fine"].to_numpy() + table["p_coarse"].to_numpy(), 1)
    names = {path.name for path in out.iterdir()}
    assert {
        "confusion.parquet",
        "confusion.svg",
        "curve.parquet",
        "learning_curve.svg",
        "nuisances.parquet",
        "per_source.parquet",
        "report.html",
        "summary.json",
    } <= names
    assert json.loads((out / "summary.json").read_text())["accuracy"] == found["accuracy"]
    page = (out / "report.html").read_text()
    assert page.count("data:image") == 2 * 2 * 12
    assert "JPEG quality tells" in page


def test_labelled_sources_get_the_exchange_table(tmp_path, capsys, scenes):
    classes = ("cat", "dog")
    save_folder(tmp_path / "one", scenes[:COUNT], 90, classes)
    stream = []
    for image in scenes[COUNT:]:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=90)
        stream.append(file.getvalue())
    labels = [classes[i % 2] for i in range(COUNT)]
    rows = pa.table({"example_id": range(COUNT), "image": stream, "label": labels})
    curate.write(rows, tmp_path / "rows.parquet")
    sources = (f"<b>one</b>={tmp_path / 'one'}", tmp_path / "rows.parquet")
    options = ("--repeats", 2, "--no-controls", "--out", tmp_path / "out")
    code, text, err = call(capsys, "identify", *sources, *options)
    assert (code, err) == (0, "")
    assert "told apart" in text
    assert "Trained on a row" in text
    assert "worth so many" in text
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"exchange.parquet", "exchange.svg", "cross_dataset.parquet", "baskets.parquet"} <= names
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page
    assert "Exchange table." in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits"], "give two or more"),
        (["digits", "digits"], "two are called 'digits'"),
        (["digits", "nowhere"], "nowhere"),
        (["a=digits", "b=digits", "--features", "sift"], "features: 'sift'"),
        (["a=digits", "b=digits", "--repeats", "0"], "repeats: 0"),
    ],
)
def test_wrong_arguments_get_one_sentence(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, "identify", *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_what_is_left_out_is_in_terminal_summary_and_report(tmp_path, capsys, scenes):
    save_folder(tmp_path / "one", scenes[:COUNT], 90, ("cat", "dog", "bird"))
    save_folder(tmp_path / "two", scenes[COUNT:], 90, ("cat ", "dog", "bird"))
    (tmp_path / "one" / "cat" / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    (tmp_path / "one" / "cat" / "x.heic").write_bytes(b"x")
    sources = (tmp_path / "one", tmp_path / "two")
    options = ("--repeats", 2, "--no-controls", "--out", tmp_path / "out")
    code, _, err = call(capsys, "identify", *sources, *options)
    assert code == 2
    assert "'cat/torn.jpg'" in err
    code, text, err = call(capsys, "identify", *sources, *options, "--errors", "skip")
    assert code == 0
    assert "Of 'one', 2 left out: 'cat/torn.jpg', 'cat/x.heic'" in text
    assert "'cat' and 'cat ' differ only by spaces" in text
    assert "In short: " in text
    page = (tmp_path / "out" / "report.html").read_text()
    assert "cat/torn.jpg" in page
    assert "differ only by spaces" in page
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {row["name"] for row in summary["left_out_of_sources"]} == {
        "cat/torn.jpg",
        "cat/x.heic",
    }
    assert "cat " in " ".join(summary["classes_left_out"])
    assert (tmp_path / "out" / "left_out.parquet").is_file()


def test_groups_from_a_column_and_from_a_file(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in "ab":
        rows = {"example_id": range(COUNT), "x": rng.normal(size=COUNT)}
        marks = [f"{name}{row // 4}" for row in range(COUNT)]
        curate.write(pa.table({**rows, "patient": marks}), tmp_path / f"{name}.parquet")
        curate.write(pa.table(rows), tmp_path / f"plain_{name}.parquet")
    lines = [f"plain_{n},{row},{n}{row // 4}" for n in "ab" for row in range(COUNT)]
    (tmp_path / "groups.csv").write_text("\n".join(["source,example_id,group", *lines]))
    options = ("--repeats", 2, "--no-controls", "--json", "--out", tmp_path / "out")
    by_column = [tmp_path / "a.parquet", tmp_path / "b.parquet", "--groups", "patient"]
    code, one, _ = call(capsys, "identify", *by_column, *options)
    assert code == 0
    plain = [tmp_path / "plain_a.parquet", tmp_path / "plain_b.parquet"]
    code, two, _ = call(capsys, "identify", *plain, "--groups", tmp_path / "groups.csv", *options)
    assert code == 0
    assert json.loads(one)["accuracy"] == json.loads(two)["accuracy"]
    assert json.loads(one)["test_size"] <= COUNT // 4
    (tmp_path / "wrong.csv").write_text("id,group\n1,2\n")
    code, _, err = call(capsys, "identify", *plain, "--groups", tmp_path / "wrong.csv", *options)
    assert code == 2
    assert "give example_id and group" in err
