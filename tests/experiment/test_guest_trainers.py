"""A Hugging Face Trainer, a Lightning Trainer and a plain loop are asked through ``train=``."""

import logging
import tempfile
import warnings

import joblib
import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import curate
from curate import smallest_set
from tests.experiment.test_smallest_set import DATA, blobs

EPOCHS, BATCH = 3, 20
TEST = blobs(90, seed=1)
FIXED = {"by": "aum", "sizes": [0.5], "seeds": 2, "margin": 0.5}


def arrays(dataset, rows):
    """Values and labels of the rows as tensors, and their ids."""
    values, labels = dataset.arrays()
    return values[rows], labels[rows], dataset.ids[rows]


class Classifier(torch.nn.Module):
    """Takes and returns what a Hugging Face model does."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 3)

    def forward(self, x, labels=None):
        logits = self.linear(x)
        return {"loss": cross_entropy(logits, labels), "logits": logits}


def dicts(dataset, rows):
    values, labels, ids = arrays(dataset, rows)
    return [
        {"x": x, "labels": int(label), "example_id": int(example_id)}
        for x, label, example_id in zip(values, labels, ids, strict=True)
    ]


def hugging_face(rows, seed, recorder, *, on, steps=None):
    import transformers

    from curate.record.transformers import RecordingTrainer

    transformers.set_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
            num_train_epochs=EPOCHS,
            max_steps=steps or -1,
            per_device_train_batch_size=BATCH,
            learning_rate=0.1,
            optim="adamw_torch",
            seed=seed,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            report_to=[],
        )
        options = {"args": arguments, "train_dataset": dicts(DATA, rows)}
        if recorder is None:
            trainer = transformers.Trainer(Classifier(), **options)
        else:
            trainer = RecordingTrainer(Classifier(), **options, recorder=recorder)
        trainer.train()
        found = trainer.predict(dicts(on, np.arange(len(on))))
    return found.predictions.argmax(1) == on.labels


def lightning(rows, seed, recorder, *, on, steps=None):
    import lightning.pytorch as pl
    from torch.utils.data import DataLoader, TensorDataset

    from curate.record.lightning import RecorderCallback

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(5, 3)

        def training_step(self, batch, index):
            x, labels, _ = batch
            logits = self.linear(x)
            return {"loss": cross_entropy(logits, labels), "logits": logits}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.5)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    values, labels, ids = arrays(DATA, rows)
    torch.manual_seed(seed)
    model = Module()
    loader = DataLoader(TensorDataset(values, labels, torch.as_tensor(ids)), BATCH, shuffle=True)
    trainer = pl.Trainer(
        max_epochs=EPOCHS if steps is None else -1,
        max_steps=-1 if steps is None else steps,
        callbacks=[] if recorder is None else [RecorderCallback(recorder)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(model, loader)
    values, labels = on.arrays()
    with torch.no_grad():
        return (model.linear(values).argmax(1) == labels).numpy()


def plain(rows, seed, recorder, *, on, steps=None):
    values, labels, ids = arrays(DATA, rows)
    torch.manual_seed(seed)
    model = torch.nn.Linear(5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    step, steps = 0, steps or EPOCHS * -(-len(rows) // BATCH)
    while step < steps:
        for batch in torch.randperm(len(rows)).split(BATCH)[: steps - step]:
            logits = model(values[batch])
            if recorder is not None:
                recorder.update(ids[batch], logits, labels[batch])
            optimizer.zero_grad()
            cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
            step += 1
        if recorder is not None:
            recorder.end_epoch()
    values, labels = on.arrays()
    return (model(values).argmax(1) == labels).numpy()


NEEDS = {hugging_face: "transformers", lightning: "lightning.pytorch", plain: "torch"}


@pytest.fixture(params=NEEDS, ids=lambda train: train.__name__)
def guest(request):
    pytest.importorskip(NEEDS[request.param])
    return request.param


def test_it_is_searched_with_and_recorded(guest):
    result = smallest_set(DATA, TEST, train=guest, **FIXED)
    table = result.certified.table
    assert table["presentations"].to_pylist() == [2 * EPOCHS] * 240  # two models
    assert table["label"].to_pylist() == DATA.labels.tolist()
    rows = result.table.to_pylist()
    assert [row["arm"] for row in rows] == ["all"] * 2 + ["aum"] * 2 + ["random"] * 2
    of_all = [row for row in rows if row["arm"] == "all"]
    assert {row["steps"] for row in of_all} == {EPOCHS * 240 // BATCH}
    assert np.mean([row["accuracy"] for row in of_all]) > 0.7
    assert result.selection is not None
    assert result.selection.policy["kept"] == 120


def test_the_same_seed_is_the_same_model(guest):
    rows = np.arange(0, 240, 2)
    answers, tables = [], []
    for seed in (1, 1, 2):
        recorder = curate.Recorder(DATA.ids[rows], history=True)
        answers.append(guest(rows, seed, recorder, on=TEST))
        tables.append(recorder.table())
    unrecorded = guest(rows, 1, None, on=TEST)
    assert (answers[0] == answers[1]).all()
    assert (answers[0] == unrecorded).all()  # recording changes nothing
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_steps_are_as_many_as_were_asked_for(guest):
    for steps in (1, 7, 20):
        recorder = curate.Recorder(DATA.ids)
        guest(np.arange(240), 0, recorder, on=TEST, steps=steps)
        recorder.end_epoch()
        assert sum(recorder.table()["presentations"].to_pylist()) == steps * BATCH


def test_processes_give_the_same_results_bit_for_bit():
    here = smallest_set(DATA, TEST, train=plain, **FIXED)
    with joblib.parallel_config("loky", n_jobs=2):
        there = smallest_set(DATA, TEST, train=plain, **FIXED)
    assert here.claims.equals(there.claims)
    assert here.certified.table.equals(there.certified.table)
