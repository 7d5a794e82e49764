"""The recipes of docs/loops.md run, each in a process of its own, where its library is there."""

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "loops.md").read_text()
BLOCK = re.compile(r"^```py\n(.*?)^```", re.MULTILINE | re.DOTALL)
RECIPES = {
    section.partition("\n")[0]: "\n".join(BLOCK.findall(section))
    for section in PAGE.split("\n## ")[1:]
}
NEEDS = {
    "Lightning": ["lightning"],
    "Hugging Face Trainer": ["transformers", "datasets", "accelerate"],
    "accelerate": ["accelerate"],
    "timm": ["timm", "torchvision"],
    "Keras 3": ["keras"],
    "fastai": ["fastai"],
    "Streams": ["webdataset"],
}


def run(code, folder, seconds=600):
    """Run code in ``folder``; what it printed. All its processes end with it."""
    (folder / "recipe.py").write_text(code)
    environment = {**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    with open(folder / "printed.txt", "w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "recipe.py"],
            cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        out.seek(0)
        return code, out.read()


def test_every_recipe_says_what_it_needs():
    assert set(RECIPES) == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_the_recipe_runs(name, tmp_path):
    for package in NEEDS[name]:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    code, printed = run(RECIPES[name], tmp_path)
    assert code == 0, printed[-3000:]


PROBABILITIES = """
import keras, torch
from torch.utils.data import DataLoader, TensorDataset
import curate
X, Y = torch.randn(24, 4), torch.arange(24) % 3
for activation, loss, width, labels in (
    ("softmax", "sparse_categorical_crossentropy", 3, Y),
    ("softmax", keras.losses.CategoricalCrossentropy(), 3, torch.nn.functional.one_hot(Y).float()),
    ("sigmoid", "binary_crossentropy", 1, (Y % 2).float()),
    (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), 3, Y),
):
    model = keras.Sequential([keras.layers.Dense(width, activation=activation)])
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.0))
    loader = DataLoader(TensorDataset(X, labels), 8, shuffle=True)
    recorder = curate.watch(model, loader)
    model.fit(loader, epochs=1, verbose=0)
    weights, bias = map(torch.as_tensor, model.get_weights())
    logits = (X @ weights + bias).double()
    plain = curate.Recorder(24)
    plain.update(range(24), logits, labels)
    found, right = recorder.table(), plain.table()
    for name in ("correct", "loss_mean", "margin_mean", "el2n_mean"):
        a, b = (torch.tensor(each[name].to_pylist()) for each in (found, right))
        assert torch.allclose(a.double(), b.double(), atol=1e-4), (activation, name)
"""


def test_probabilities_of_a_keras_model_are_recorded_as_their_logits(tmp_path):
    if find_spec("keras") is None:
        pytest.skip("keras is not installed")
    code, printed = run(PROBABILITIES, tmp_path)
    assert code == 0, printed[-3000:]


FASTAI = """
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
import curate
X, Y, seen = torch.randn(23, 4), torch.arange(23) % 3, []
X[:, 0] = torch.arange(23)
rows = list(zip(X, Y))
for workers in (0, 2):
    for names in (None, [f"r{i}" for i in range(23)]):
        dataset = rows if names is None else curate.data.with_ids(rows, names)
        loaders = DataLoaders.from_dsets(dataset, rows, bs=4, device="cpu", num_workers=workers)
        loaders.n_inp = 1
        net = torch.nn.Sequential(torch.nn.Linear(4, 3))
        seen = {}
        def note(model, inputs, outputs):
            if model.training:
                for x, z in zip(inputs[0], outputs):
                    seen.setdefault(int(x[0]), []).append(z.detach().clone())
        net.register_forward_hook(note)
        def loss(z, y, *ids):
            return torch.nn.functional.cross_entropy(z, y)
        learn = Learner(loaders, net, loss_func=loss)
        recorder = curate.watch(learn.model, learn.dls.train)
        learn.fit(3, 0.5)
        table = recorder.table()
        assert table["example_id"].to_pylist() == (list(range(23)) if names is None else names)
        assert recorder.epoch == 3
        for i in range(23):
            right = [int(z.argmax()) == i % 3 for z in seen.get(i, [])]
            assert table["presentations"][i].as_py() == len(right), i
            assert (table["correct"][i].as_py() or 0) == sum(right), i
"""


def test_loaders_of_fastai_are_watched(tmp_path):
    if find_spec("fastai") is None:
        pytest.skip("fastai is not installed")
    code, printed = run(FASTAI, tmp_path)
    assert code == 0, printed[-3000:]
