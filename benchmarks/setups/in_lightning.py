"""Lightning's Trainer."""

import logging

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import curate
from setups.harness import BATCH, EPOCHS, SEEN, N, Net, Run, X, Y, setup, sgd

try:
    import lightning.pytorch as L
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

    from curate.record.lightning import RecorderCallback

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    BASE = L.LightningModule
except ImportError:
    BASE = object

NEEDS = ("lightning",)


class Module(BASE):
    """What all have in common; they differ in ``training_step``."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def configure_optimizers(self):
        return sgd(self)


class OfTuples(Module):
    def training_step(self, batch, index):
        x, y, _ = batch  # changed
        logits = self.net(x)
        return {"loss": cross_entropy(logits, y), "logits": logits}  # changed


def trainer(run, *callbacks, **options):
    plain = {"max_epochs": EPOCHS, "logger": False, "enable_checkpointing": False}
    return L.Trainer(
        accelerator="cpu", devices=run.ranks, strategy="ddp" if run.ranks > 1 else "auto",
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=run.folder,
        callbacks=list(callbacks), **{**plain, **options},
    )  # fmt: skip


@setup("lightning", "tuples", needs=NEEDS)
def tuples(run: Run):
    class Mine(Module):
        def training_step(self, batch, index):
            x, y, _ = batch  # changed
            logits = self.net(x)
            return {"loss": cross_entropy(logits, y), "logits": logits}  # changed

    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    recording = RecorderCallback(N)  # added
    trainer(run, recording).fit(Mine(), DataLoader(data, BATCH, shuffle=True))
    return recording.recorder


@setup("lightning", "dicts, string ids, accumulated, validated", needs=NEEDS)
def dicts(run: Run):
    class Mine(Module):
        def training_step(self, batch, index):
            logits = self.net(batch["x"])
            return {"loss": cross_entropy(logits, batch["target"]), "logits": logits}  # changed

        def validation_step(self, batch, index):
            self.net(batch["x"])

    names = [f"doc-{i}" for i in range(N)]
    rows = [{"x": X[i], "target": int(Y[i])} for i in range(N)]
    loader = DataLoader(curate.data.with_ids(rows, names), BATCH, shuffle=True)  # changed
    recording = RecorderCallback(names)  # added
    fits = trainer(run, recording, accumulate_grad_batches=2, val_check_interval=2)
    fits.fit(Mine(), loader, DataLoader(rows, BATCH))
    return recording.recorder


@setup("lightning", "checkpoint every 4 steps, resumed from it", needs=NEEDS)
def resumed(run: Run):
    loader = DataLoader(curate.data.with_ids(TensorDataset(X, Y)), BATCH, shuffle=True)  # changed
    saving = ModelCheckpoint(run.folder, "{step}", every_n_train_steps=4, save_top_k=-1)
    recording = RecorderCallback(N)  # added
    first = trainer(run, recording, saving, max_steps=10, enable_checkpointing=True)
    first.fit(OfTuples(), loader)
    del SEEN[8:]
    recording = RecorderCallback(N)
    path = f"{run.folder}/step=8.ckpt"
    trainer(run, recording).fit(OfTuples(), loader, ckpt_path=path, weights_only=False)
    return recording.recorder


@setup("lightning", "early stopping", needs=NEEDS)
def stopped(run: Run):
    class Mine(OfTuples):
        def validation_step(self, batch, index):
            self.log("bad", torch.tensor(1.0), sync_dist=True)

    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    recording = RecorderCallback(N)  # added
    fits = trainer(run, recording, EarlyStopping("bad", patience=1), max_epochs=9)
    fits.fit(Mine(), DataLoader(data, BATCH, shuffle=True), DataLoader(data, BATCH))
    return recording.recorder


@setup("lightning", "steps that are skipped", needs=NEEDS)
def skipped(run: Run):
    class Mine(Module):
        def training_step(self, batch, index):
            if index % 3 == 1 and self.trainer.world_size == 1:
                return None
            x, y, _ = batch  # changed
            logits = self.net(x)
            return {"loss": cross_entropy(logits, y), "logits": logits}  # changed

    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    recording = RecorderCallback(N)  # added
    trainer(run, recording).fit(Mine(), DataLoader(data, BATCH, shuffle=True))
    return recording.recorder


@setup("lightning", "two loaders at once", needs=NEEDS)
def together(run: Run):
    class Mine(Module):
        def training_step(self, batch, index):
            x, y, ids = batch["labelled"]  # changed
            logits = self.net(x)
            loss = cross_entropy(logits, y) + 0 * batch["other"][0].sum()
            return {"loss": loss, "logits": logits, "labels": y, "example_id": ids}  # changed

    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    loaders = {name: DataLoader(each, BATCH, shuffle=True)
               for name, each in (("labelled", data), ("other", TensorDataset(X)))}  # fmt: skip
    recording = RecorderCallback(N)  # added
    trainer(run, recording).fit(Mine(), loaders)
    return recording.recorder
