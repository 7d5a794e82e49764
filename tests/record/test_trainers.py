"""Trainers as people set them up: language models, string ids, odd batches, two processes."""

import logging
import os
import subprocess
import sys
import textwrap
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import curate

QUIET = {
    "report_to": [], "use_cpu": True, "disable_tqdm": True, "save_strategy": "no",
    "logging_strategy": "no",
}  # fmt: skip


def hugging_face(tmp_path, model, dataset, recorder, **options):
    transformers = pytest.importorskip("transformers")
    from curate.record.transformers import RecordingTrainer

    arguments = transformers.TrainingArguments(str(tmp_path), **{**QUIET, **options})
    return RecordingTrainer(model, arguments, train_dataset=dataset, recorder=recorder)


def sequences(n=10, length=8):
    return [[1 + (i + j) % 8 for j in range(length)] for i in range(n)]


def wrapped_in(name):
    """A causal model of another class, whose name says nothing."""
    from transformers import GPT2LMHeadModel

    return type(name, (GPT2LMHeadModel,), {})


def causal(kind, **options):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = {"vocab_size": 50, "attn_pdrop": 0, "resid_pdrop": 0, "embd_pdrop": 0}
    config = transformers.GPT2Config(n_positions=16, n_embd=16, n_layer=1, n_head=2, **small)
    if kind == "llama":
        config = transformers.LlamaConfig(
            vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=16,
        )  # fmt: skip
        return transformers.LlamaForCausalLM(config)
    return wrapped_in("Mine" if kind == "mine" else "GPT2LMHeadModel")(config)


@pytest.mark.parametrize("kind", ["gpt2", "mine", "llama"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_causal_language_model_is_recorded_at_its_own_loss(tmp_path, kind, accumulate):
    datasets = pytest.importorskip("datasets")
    model, rows = causal(kind), sequences()
    labels = [[-100, *row[1:6], -100, -100] for row in rows]
    data = datasets.Dataset.from_dict({"input_ids": rows, "labels": labels})
    recorder = curate.Recorder(10)
    hugging_face(
        tmp_path, model, curate.data.with_ids(data), recorder, learning_rate=0.0,
        per_device_train_batch_size=5, num_train_epochs=1, gradient_accumulation_steps=accumulate,
    ).train()  # fmt: skip
    model.eval()
    for i, row in enumerate(recorder.table().to_pylist()):
        one, y = torch.tensor([rows[i]]), torch.tensor([labels[i]])
        with torch.no_grad():
            outputs = model(input_ids=one, labels=y)
        assert row["loss_mean"] == pytest.approx(float(outputs.loss), rel=1e-4)
        right = outputs.logits[0, :-1].argmax(-1) == y[0, 1:]
        assert row["tokens_correct_mean"] == pytest.approx(right[y[0, 1:] >= 0].float().mean())


@pytest.mark.parametrize("kind", ["t5", "masked", "tokens", "bart"])
def test_models_that_are_not_one_ahead_stay_as_they_are(tmp_path, kind):
    transformers, datasets = pytest.importorskip("transformers"), pytest.importorskip("datasets")
    torch.manual_seed(0)
    rows = sequences()
    bert = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0}  # fmt: skip
    if kind == "t5":
        config = transformers.T5Config(
            vocab_size=50, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8, dropout_rate=0.0,
            decoder_start_token_id=0,
        )  # fmt: skip
        model = transformers.T5ForConditionalGeneration(config)
    elif kind == "bart":  # named causal, but compares its logits with the labels as they are
        config = transformers.BartConfig(
            vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, dropout=0.0,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
            decoder_ffn_dim=16,
        )  # fmt: skip
        model = transformers.BartForCausalLM(config)
    elif kind == "masked":
        model = transformers.BertForMaskedLM(transformers.BertConfig(**bert))
    else:
        config = transformers.BertConfig(**bert, num_labels=10)
        model = transformers.BertForTokenClassification(config)
    data = datasets.Dataset.from_dict({"input_ids": rows, "labels": rows})
    recorder = curate.Recorder(10)
    hugging_face(
        tmp_path, model, curate.data.with_ids(data), recorder, learning_rate=0.0,
        per_device_train_batch_size=5, num_train_epochs=1,
    ).train()  # fmt: skip
    model.eval()
    tensor = torch.tensor(rows)
    with torch.no_grad():
        own = float(model(input_ids=tensor, labels=tensor).loss)
    recorded = recorder.table()["loss_mean"].to_numpy().mean()
    assert recorded == pytest.approx(own, rel=1e-4)


class Linear(torch.nn.Module):
    """A model of a Hugging Face Trainer that takes its labels by any name."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, x, labels=None, answer=None):
        logits = self.layer(x)
        y = labels if labels is not None else answer
        return {"loss": torch.nn.functional.cross_entropy(logits, y), "logits": logits}


def features(n=8, **columns):
    datasets = pytest.importorskip("datasets")
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0)).tolist()
    return datasets.Dataset.from_dict({"x": x, **columns})


@pytest.mark.parametrize("grows", [False, True])
def test_string_ids_pass_the_collator_and_the_recorder_is_made(tmp_path, grows):
    ids = [f"doc-{i}" for i in range(8)]
    data = curate.data.with_ids(features(labels=[0, 1] * 4), ids)
    trainer = hugging_face(tmp_path, Linear(), data, None if grows else ids, num_train_epochs=2)
    trainer.train()
    trainer.evaluate(data)
    found = {
        row["example_id"]: row["presentations"] for row in trainer.recorder.table().to_pylist()
    }
    assert found == dict.fromkeys(ids, 2)


def test_labels_of_another_name(tmp_path):
    data = curate.data.with_ids(features(answer=[0, 1] * 4))
    trainer = hugging_face(tmp_path, Linear(), data, 8, label_names=["answer"], num_train_epochs=1)
    trainer.train()
    assert trainer.recorder.table()["label"].to_pylist() == [0, 1] * 4


def test_where_the_id_got_lost_is_told(tmp_path):
    data = curate.data.with_ids(features(y=[0, 1] * 4)).with_transform(
        lambda rows: {"x": torch.tensor(rows["x"]), "labels": torch.tensor(rows["y"])}
    )
    trainer = hugging_face(tmp_path, Linear(), data, 8, remove_unused_columns=False)
    with pytest.raises(
        curate.CurateError, match="has the column 'example_id', but a batch has not"
    ):
        trainer.train()
    trainer = hugging_face(tmp_path, Linear(), features(labels=[0, 1] * 4), 8)
    with pytest.raises(curate.CurateError, match="wrap it with curate.data.with_ids"):
        trainer.train()


def fit(step, loaders, recorder=8):
    lightning = pytest.importorskip("lightning.pytorch")
    from curate.record.lightning import RecorderCallback

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def training_step(self, batch, index):
            return step(self, batch, index)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.5)

    callback = RecorderCallback(recorder)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[callback],
        ).fit(Module(), loaders)  # fmt: skip
    return callback.recorder.table()["presentations"].to_pylist()


def outcome(module, x, y):
    logits = module.layer(x)
    return {"loss": torch.nn.functional.cross_entropy(logits, y), "logits": logits}


BASE = TensorDataset(torch.randn(8, 3), torch.arange(8) % 2)


def test_a_skipped_batch_is_not_recorded():
    def step(module, batch, index):
        return None if index == 1 else outcome(module, *batch[:2])

    assert fit(step, DataLoader(curate.data.with_ids(BASE), 4)) == [1] * 4 + [0] * 4


def test_ids_and_labels_of_any_batch_may_be_returned():
    def step(module, batch, index):
        x, y, ids = batch["lab"]
        return {**outcome(module, x, y), "labels": y, "example_id": ids}

    loaders = {"lab": DataLoader(curate.data.with_ids(BASE), 4), "un": DataLoader(BASE, 4)}
    assert fit(step, loaders) == [1] * 8
    with pytest.raises(curate.CurateError, match="batch: no example ids.*'lab', 'un'.*return 'lab"):
        fit(lambda module, batch, index: outcome(module, *batch["lab"][:2]), loaders)


@pytest.mark.parametrize("name", ["label", "labels", "target", "targets", "y"])
def test_dicts_by_any_usual_name(name):
    data = [{"x": torch.randn(3), name: i % 2} for i in range(8)]
    loader = DataLoader(curate.data.with_ids(data), 4)
    assert fit(lambda m, batch, i: outcome(m, batch["x"], batch[name]), loader) == [1] * 8


def test_dicts_without_labels_are_told_the_names():
    data = [{"x": torch.randn(3), "klass": i % 2} for i in range(8)]
    loader = DataLoader(curate.data.with_ids(data), 4)
    with pytest.raises(curate.CurateError, match="batch: a dict with the keys.*labels, label"):
        fit(lambda m, batch, i: outcome(m, batch["x"], batch["klass"]), loader)


def test_a_plain_recorder_in_a_trainer_of_several_processes_is_refused():
    pytest.importorskip("lightning")
    from curate.record.lightning import RecorderCallback

    with pytest.raises(curate.CurateError, match="recorder: a plain Recorder, but 2 processes"):
        RecorderCallback(curate.Recorder(3)).setup(SimpleNamespace(world_size=2), None, "fit")
    with pytest.raises(curate.CurateError, match="options: .*the Recorder is made"):
        RecorderCallback(curate.Recorder(3), history=True)


SHARED = """
    import os, sys, logging, warnings
    import torch, curate
    warnings.simplefilter("ignore"); torch.set_num_threads(1)
    folder, N = sys.argv[1], 24
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(N, 4, generator=generator); Y = torch.arange(N) % 3
    seen = []
    def finish(recorder, rank):
        kept = [(ids.clone(), z.detach().clone()) for ids, z in seen]
        torch.save(kept, f"{folder}/seen{rank}.pt")
        recorder.save(f"{folder}/{rank}.parquet")
"""

LIGHTNING = (
    SHARED
    + """
    import lightning.pytorch as L
    from lightning.pytorch.callbacks import ModelCheckpoint
    from curate.record.lightning import RecorderCallback
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    class M(L.LightningModule):
        def __init__(self):
            super().__init__(); torch.manual_seed(0); self.layer = torch.nn.Linear(4, 3)
        def training_step(self, batch, i):
            x, y, ids = batch; z = self.layer(x); seen.append((ids, z))
            return {"loss": torch.nn.functional.cross_entropy(z, y), "logits": z}
        def configure_optimizers(self): return torch.optim.SGD(self.parameters(), 1.0)
    data = curate.data.with_ids(torch.utils.data.TensorDataset(X, Y))
    callback = RecorderCallback(N, history=True)
    saved = ModelCheckpoint(folder, every_n_train_steps=2, save_top_k=-1)
    trainer = L.Trainer(max_epochs=2, accelerator="cpu", devices=2, strategy="ddp", logger=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[callback, saved])
    trainer.fit(M(), torch.utils.data.DataLoader(data, 4, shuffle=True))
    finish(callback.recorder, trainer.global_rank)
"""
)

HUGGING_FACE = (
    SHARED
    + """
    import datasets, transformers
    from curate.record.transformers import RecordingTrainer
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__(); torch.manual_seed(0); self.layer = torch.nn.Linear(4, 3)
        def forward(self, x, labels=None):
            z = self.layer(x)
            return {"loss": torch.nn.functional.cross_entropy(z, labels), "logits": z}
    data = curate.data.with_ids(datasets.Dataset.from_dict({"x": X.tolist(), "labels": Y.tolist()}))
    class Seeing(RecordingTrainer):
        def compute_loss(self, model, inputs, *rest, **options):
            ids = inputs["example_id"]
            loss, outputs = super().compute_loss(model, inputs, True, **options)
            seen.append((ids, outputs["logits"]))
            return loss
    trainer = Seeing(M(), transformers.TrainingArguments(folder, report_to=[], use_cpu=True,
        disable_tqdm=True, save_strategy="steps", save_steps=2, num_train_epochs=2,
        per_device_train_batch_size=4, learning_rate=0.5, logging_strategy="no",
        ddp_backend="gloo"), train_dataset=data, recorder=N)
    trainer.train()
    finish(trainer.recorder, trainer.args.process_index)
"""
)


@pytest.mark.parametrize(
    ("script", "package"), [(LIGHTNING, "lightning"), (HUGGING_FACE, "transformers")]
)
def test_two_processes_with_step_wise_checkpoints_record_what_one_would(script, package, tmp_path):
    pytest.importorskip(package)
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(script))
    command = [sys.executable, str(path), str(tmp_path)]
    if package == "transformers":
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        command = [sys.executable, *launcher, *command[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = [torch.load(tmp_path / f"seen{rank}.pt") for rank in range(2)]
    one = curate.Recorder(24)
    for step in zip(*seen, strict=True):
        for ids, logits in step:
            one.update(ids, logits, ids % 3)
    for rank in range(2):
        table = curate.read(tmp_path / f"{rank}.parquet")
        for name in one.table().column_names:
            expected = one.table()[name].to_pylist()
            found = table[name].to_pylist()
            assert found == expected or found == pytest.approx(expected, rel=1e-6), name
    checkpoints = list(tmp_path.rglob("recorder.pt")) + list(tmp_path.glob("*.ckpt"))
    assert len(checkpoints) >= 3
