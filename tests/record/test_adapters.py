import logging
import warnings

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import curate

N, EPOCHS = 30, 3


def model_and_data(seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(N, 4, generator=generator)
    labels = torch.randint(0, 3, (N,), generator=generator)
    torch.manual_seed(seed)
    return torch.nn.Linear(4, 3), inputs, labels


def lightning_run(tmp_path, recorder, epochs, checkpoint=None):
    lightning = pytest.importorskip("lightning.pytorch")
    from curate.record.lightning import RecorderCallback

    model, inputs, labels = model_and_data()
    seen = []

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def training_step(self, batch, index):
            x, y, ids = batch
            logits = self.model(x)
            seen.append((ids.clone(), logits.detach().clone(), y.clone()))
            return {"loss": torch.nn.functional.cross_entropy(logits, y), "logits": logits}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 1.0)

    loader = DataLoader(TensorDataset(inputs, labels, torch.arange(N)), 8)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        callbacks=[RecorderCallback(recorder)],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Module(), loader, ckpt_path=checkpoint, weights_only=False)
    return trainer, seen


def test_lightning_records_the_steps_own_logits_and_resumes(tmp_path):
    recorder = curate.Recorder(N, history=True)
    _, seen = lightning_run(tmp_path, recorder, EPOCHS)
    by_hand = curate.Recorder(N, history=True)
    for i, step in enumerate(seen):
        by_hand.update(*step)
        if i % 4 == 3:
            by_hand.end_epoch()
    assert recorder.table().equals(by_hand.table())
    assert recorder.epoch == EPOCHS

    interrupted = curate.Recorder(N, history=True)
    trainer, _ = lightning_run(tmp_path, interrupted, 1)
    trainer.save_checkpoint(tmp_path / "at1.ckpt")
    resumed = curate.Recorder(N, history=True)
    lightning_run(tmp_path, resumed, EPOCHS, tmp_path / "at1.ckpt")
    assert resumed.table().equals(recorder.table())


def trainer_for(tmp_path, recorder, epochs):
    transformers = pytest.importorskip("transformers")
    from datasets import Dataset

    from curate.record.transformers import RecordingTrainer

    model, inputs, labels = model_and_data()
    seen = []

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x, labels=None):
            logits = self.model(x)
            if self.training:
                seen.append((logits.detach().clone(), labels.clone()))
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    dataset = Dataset.from_dict(
        {
            "x": inputs.tolist(),
            "labels": labels.tolist(),
            "example_id": [100 + i for i in range(N)],
            "unused": ["text"] * N,
        }
    )
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=epochs,
        per_device_train_batch_size=8,
        learning_rate=0.5,
        lr_scheduler_type="constant",
        save_strategy="epoch",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        logging_strategy="no",
    )
    trainer = RecordingTrainer(
        Model(), arguments, train_dataset=dataset, eval_dataset=dataset, recorder=recorder
    )
    return trainer, seen


def test_hugging_face_trainer_records_and_resumes(tmp_path):
    ids = [100 + i for i in range(N)]
    recorder = curate.Recorder(ids, history=True)
    trainer, seen = trainer_for(tmp_path / "whole", recorder, EPOCHS)
    trainer.train()
    trainer.evaluate()
    table = recorder.table()
    assert table["presentations"].to_pylist() == [EPOCHS] * N
    right = sum(int((logits.argmax(1) == labels).sum()) for logits, labels in seen)
    assert sum(table["correct"].to_pylist()) == right
    *_, labels = model_and_data()
    assert table["label"].to_pylist() == labels.tolist()

    first = curate.Recorder(ids, history=True)
    trainer_for(tmp_path / "parts", first, 1)[0].train()
    resumed = curate.Recorder(ids, history=True)
    trainer, _ = trainer_for(tmp_path / "parts", resumed, EPOCHS)
    trainer.train(resume_from_checkpoint=True)
    assert resumed.table()["presentations"].to_pylist() == [EPOCHS] * N
    assert resumed.table().equals(table)


def test_missing_logits_and_ids_are_explained():
    pytest.importorskip("lightning")
    from curate.record.lightning import RecorderCallback

    callback = RecorderCallback(curate.Recorder(3))
    with pytest.raises(curate.CurateError, match="training_step: .*'logits'"):
        callback.on_train_batch_end(None, None, {"loss": 1}, (1, 2, 3), 0)
    with pytest.raises(curate.CurateError, match="batch: no example ids"):
        callback.on_train_batch_end(None, None, {"logits": 1}, (1, 2), 0)
