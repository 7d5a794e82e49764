import json

import numpy as np
import pytest
import torch
from PIL import Image

from curate.cli.app import main
from curate.train import Trained, build, save_model, settings_for
from curate.train.batches import Normaliser
from tests.retest.duplicates.test_near_duplicates import pictures


def save(folder, images, start=0):
    for row, image in enumerate(images):
        place = folder / ("cat" if row % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        Image.fromarray(pixels).save(place / f"{start + row}.png")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = pictures(60, 0), pictures(30, 1)
    test[0] = train[4]
    save(tmp_path / "train", train)
    save(tmp_path / "test", test)
    return tmp_path


def audit(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["audit", *arguments])
    return stopped.value.code


def test_a_leak_is_found_and_removed(folders, capsys):
    code = audit("train", "test", "--fix", "clean", "--format", "imagefolder", "--json")
    summary = json.loads(capsys.readouterr().out)
    assert code == 3
    assert summary["problems"] == ["1 of 30 test images (3.33%) have a copy in the training set."]
    assert summary["leaks"]["exact"] == 1
    assert summary["fixed"] == {"folder": "clean", "train": 59, "test": 30, "keep": "test"}
    assert (folders / "runs/audit/report.html").exists()
    assert audit("clean/train", "clean/test", "--out", "again") in (0, None)
    assert "No problem was found." in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8)])
def test_the_network_of_a_run_will_do(folders, capsys, shape):
    images = torch.randint(0, 256, (20, *shape)).byte()
    settings = settings_for(shape)
    net = Trained(build(settings.model, shape, 2), Normaliser.of(images), torch.device("cpu"))
    save_model(folders / "run/models/arm=all/seed=0.pt", net, settings, shape, 2)
    assert audit("train", "test", "--features", "run", "--json") == 3
    assert json.loads(capsys.readouterr().out)["leaks"]["exact"] == 1


def test_bad_arguments_are_one_sentence(folders, capsys):
    assert audit("train", "test", "--keep", "both") == 2
    assert audit("train", "test", "--features", "nose") == 2
    assert audit("train", "nowhere") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == "curate: --keep: 'both'; give 'test' or 'train'"


def test_a_broken_image_is_named_and_nothing_is_written(folders, capsys):
    (folders / "test/cat/99.png").write_bytes(b"no picture")
    assert audit("train", "test", "--out", "found", "--fix", "clean") == 2
    line = capsys.readouterr().err.splitlines()
    assert len(line) == 1
    assert "'cat/99.png'" in line[0]
    assert "is not an image" in line[0]
    assert not (folders / "found").exists()
    assert not (folders / "clean").exists()
