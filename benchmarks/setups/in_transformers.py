"""The Hugging Face Trainer."""

import torch
from torch.nn.functional import cross_entropy

import curate
from setups.harness import BATCH, EPOCHS, SEEN, TOKENS, N, Net, Run, X, Y, of_tokens, setup

try:
    import datasets
    import transformers

    from curate.record.transformers import RecordingTrainer

    transformers.logging.set_verbosity_error()
except ImportError:
    pass

NEEDS = ("transformers", "datasets", "accelerate")
SMALL = {
    "vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16,
}  # fmt: skip


class Classifier(torch.nn.Module):
    """A model that is no Hugging Face model."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x, labels=None, answer=None):
        logits = self.net(x)
        return {
            "loss": cross_entropy(logits, answer if labels is None else labels),
            "logits": logits,
        }


def arguments(run, **options):
    plain = {
        "report_to": [], "use_cpu": True, "disable_tqdm": True, "save_strategy": "no",
        "logging_strategy": "no", "num_train_epochs": EPOCHS, "per_device_train_batch_size": BATCH,
        "learning_rate": 0.3, "ddp_backend": "gloo" if run.ranks > 1 else None,
    }  # fmt: skip
    return transformers.TrainingArguments(str(run.folder / "out"), **{**plain, **options})


@setup("transformers", "labels of another name", needs=NEEDS)
def named(run: Run):
    data = datasets.Dataset.from_dict({"x": X.tolist(), "answer": Y.tolist()})
    data = curate.data.with_ids(data)  # changed
    options = arguments(run, label_names=["answer"])
    trainer = RecordingTrainer(Classifier(), options, train_dataset=data, recorder=N)  # changed
    trainer.train()
    return trainer.recorder


@setup("transformers", "BERT, string ids, evaluated", needs=NEEDS)
def bert(run: Run):
    names = [f"doc-{i}" for i in range(N)]
    data = datasets.Dataset.from_dict({"input_ids": TOKENS, "labels": Y.tolist()})
    config = transformers.BertConfig(**SMALL, num_labels=3)
    model = of_tokens(transformers.BertForSequenceClassification(config))
    options = arguments(run, learning_rate=0.01, eval_strategy="epoch")
    trainer = RecordingTrainer(model, options, eval_dataset=data,  # changed
        train_dataset=curate.data.with_ids(data, names), recorder=names)  # changed  # fmt: skip
    trainer.train()
    return trainer.recorder


@setup("transformers", "causal language model", "causal", TOKENS, needs=NEEDS)
def causal(run: Run):
    data = datasets.Dataset.from_dict({"input_ids": TOKENS, "labels": TOKENS})
    config = transformers.GPT2Config(
        vocab_size=100, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    model = of_tokens(transformers.GPT2LMHeadModel(config))
    data = curate.data.with_ids(data)  # changed
    options = arguments(run, learning_rate=0.03, num_train_epochs=6)
    trainer = RecordingTrainer(model, options, train_dataset=data, recorder=N)  # changed
    trainer.train()
    return trainer.recorder


TARGETS = [[50 + i % 5, 60 + i % 7] for i in range(N)]


@setup("transformers", "T5, sequence to sequence", "sequence", TARGETS, needs=NEEDS)
def t5(run: Run):
    data = datasets.Dataset.from_dict({"input_ids": TOKENS, "labels": TARGETS})
    config = transformers.T5Config(
        vocab_size=100, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = of_tokens(transformers.T5ForConditionalGeneration(config))
    data = curate.data.with_ids(data)  # changed
    options = arguments(run, learning_rate=0.03)
    trainer = RecordingTrainer(model, options, train_dataset=data, recorder=N)  # changed
    trainer.train()
    return trainer.recorder


TAGS = [[t % 4 for t in row[:-2]] + [-100, -100] for row in TOKENS]


@setup("transformers", "token classification", "sequence", TAGS, needs=NEEDS)
def tags(run: Run):
    data = datasets.Dataset.from_dict({"input_ids": TOKENS, "labels": TAGS})
    config = transformers.BertConfig(**SMALL, num_labels=4)
    model = of_tokens(transformers.BertForTokenClassification(config))
    data = curate.data.with_ids(data)  # changed
    options = arguments(run, learning_rate=0.03)
    trainer = RecordingTrainer(model, options, train_dataset=data, recorder=N)  # changed
    trainer.train()
    return trainer.recorder


@setup("transformers", "checkpoint every 4 steps, resumed", needs=NEEDS)
def resumed(run: Run):
    data = datasets.Dataset.from_dict({"x": X.tolist(), "labels": Y.tolist()})
    data = curate.data.with_ids(data)  # changed
    options = arguments(run, save_strategy="steps", save_steps=4, max_steps=10)
    RecordingTrainer(Classifier(), options, train_dataset=data, recorder=N).train()
    del SEEN[8:]
    options = arguments(run, save_strategy="steps", save_steps=4)
    trainer = RecordingTrainer(Classifier(), options, train_dataset=data, recorder=N)  # changed
    trainer.train(resume_from_checkpoint=str(run.folder / "out/checkpoint-8"))
    return trainer.recorder


@setup("transformers", "stream of datasets, accumulated", needs=NEEDS)
def stream(run: Run):
    rows = {"x": X.tolist(), "labels": Y.tolist(), "example_id": list(range(N))}
    data = datasets.Dataset.from_dict(rows).to_iterable_dataset(num_shards=2)
    options = arguments(run, gradient_accumulation_steps=2, max_steps=15)
    trainer = RecordingTrainer(Classifier(), options, train_dataset=data, recorder=None)  # changed
    trainer.train()
    return trainer.recorder
