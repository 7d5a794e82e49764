"""Files of a folder that are no part of a source are counted and named; broken ones by choice."""

import re

import numpy as np
import pyarrow as pa
import pytest
import torch

from curate.bias import as_sources, name_that_dataset, nuisance_audit, two_sample
from curate.errors import CurateError, CurateWarning
from tests.data.pictures import encoded, pixels, write_folder

QUICK = {"train_size": 8, "test_size": 4, "repeats": 2, "permutations": 9, "controls": False}


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "b"):
        seeds = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(8)]
        write_folder(tmp_path / name, seeds)
    torn = encoded(pixels(99))[:60]
    (tmp_path / "a" / "dog" / "torn.png").write_bytes(torn)
    (tmp_path / "a" / "dog" / "empty.gif").write_bytes(b"")
    (tmp_path / "a" / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "a" / "cat" / "photo.heic").write_bytes(b"x")
    (tmp_path / "a" / "notes.txt").write_text("beside the classes")
    return {"a": tmp_path / "a", "b": tmp_path / "b"}


def test_broken_files_are_named_or_left_out_and_counted(folders):
    with (
        pytest.warns(CurateWarning, match="photo.heic"),
        pytest.raises(CurateError, match=re.escape("'dog/empty.gif'")) as caught,
    ):
        name_that_dataset(folders, **QUICK)
    assert "BytesIO" not in str(caught.value)
    with pytest.warns(CurateWarning, match="3 left out"):
        found = name_that_dataset(folders, errors="skip", **QUICK)
    rows = {row["name"]: row["reason"] for row in found.left_out.to_pylist()}
    assert set(rows) == {"dog/torn.png", "dog/empty.gif", "dog/gone.png", "cat/photo.heic"}
    assert rows["dog/torn.png"] == "broken"
    assert found.left_out["source"].to_pylist() == ["a"] * 4
    assert len(found.probabilities) == 32
    (note,) = [each for each in found.notes if "left out" in each]
    assert "4 left out" in note
    assert "3 broken" in note
    assert note in str(found)


def test_all_four_functions_skip(folders):
    with pytest.warns(CurateWarning):
        assert nuisance_audit(folders, errors="skip").examined == 16
    with pytest.raises(CurateError, match="errors: 'ignore'"):
        as_sources(folders, errors="ignore")


def test_other_files_of_a_flat_folder_are_counted(tmp_path):
    write_folder(tmp_path, ["1.png", "2.png"])
    (tmp_path / "3.heic").write_bytes(b"x")
    with pytest.warns(CurateWarning, match="3.heic"):
        (source,) = as_sources([tmp_path])
    assert list(source.left_out) == ["3.heic"]
    assert len(source.take(np.array([0]))) == 1


def test_broken_cells_of_a_table_are_left_out_with_their_groups():
    images = [encoded(pixels(seed)) for seed in range(10)]
    images[3] = images[3][:50]
    table = pa.table({"image": images, "example_id": list("abcdefghij")})
    with pytest.warns(CurateWarning, match="1 left out, such as 'd'"):
        (source,) = as_sources({"x": table}, errors="skip", groups={"x": list(range(10))})
    assert source.ids == list("abcefghij")
    assert source.groups.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert source.left_out == {"d": "broken"}


def test_two_sample_says_that_rows_are_in_both():
    x = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    (note,) = two_sample(x, x.clone(), permutations=99).notes
    assert "300 of the 300 examples of x are also in y" in note
    near = x + 0.01 * torch.randn(300, 16, generator=torch.Generator().manual_seed(1))
    result = two_sample(x, near, permutations=199)
    assert "near copies" in result.notes[0]
    assert result.notes[0] in str(result)
    other = torch.randn(300, 16, generator=torch.Generator().manual_seed(2))
    assert two_sample(x, other, permutations=99).notes == ()
    few = np.random.default_rng(3).integers(0, 3, (2, 300, 2))
    assert not any("number for number" in each for each in two_sample(*few, permutations=99).notes)
