"""Recording inside a Hugging Face Trainer (extra ``curate-data[transformers]``)."""

import io
import os
from typing import Any

import torch

from curate.errors import CurateError
from curate.files import atomic_path
from curate.record.distributed import DistributedRecorder, recorder_for
from curate.record.loops.batches import LABELS, logits_in
from curate.record.loops.shift import is_one_ahead
from curate.record.recorder import Recorder

try:
    from transformers import Trainer, TrainerCallback
except ImportError as error:
    raise CurateError(
        "transformers: not installed; pip install 'curate-data[transformers]' brings it"
    ) from error

_FILE = "recorder.pt"


class RecordingTrainer(Trainer):
    """A Trainer that records every training step and checkpoints the recorder with the model.

    Callbacks never see logits, and ``remove_unused_columns`` would drop the ids, so this is a
    subclass: give the data set an ``example_id`` column, int or str (``curate.data.with_ids``),
    and add ``recorder=``; everything else is as in ``transformers.Trainer``. A causal language
    model's logits at t are compared with its labels at t + 1, as the model itself does; the first
    step tells, by the model's own loss. Labels have the first of the Trainer's ``label_names``.
    For models and batches of other shapes override :meth:`labels_of` and :meth:`logits_of`.

    Args:
        recorder: a Recorder; or the number of examples, or their ids, or None for one that grows,
            of which the right one is made: a ``DistributedRecorder`` where several processes
            train together.

    Raises:
        CurateError: a plain Recorder where several processes train together.
    """

    def __init__(self, *arguments: Any, recorder: Any = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not isinstance(recorder, Recorder):
            recorder = recorder_for(recorder)
        elif self.args.world_size > 1 and not isinstance(recorder, DistributedRecorder):
            raise CurateError(
                f"recorder: a plain Recorder, but {self.args.world_size} processes train together; "
                "give the ids or their number, and the right one is made"
            )
        self.recorder: Recorder = recorder
        self.data_collator = _KeepIds(self.data_collator)  # type: ignore[assignment]
        self._one_ahead: bool | None = None
        self.add_callback(_Follow(recorder))

    def logits_of(self, outputs: Any) -> torch.Tensor:
        """The logits among the model's outputs."""
        plain = isinstance(outputs, tuple) and len(outputs) > 1  # a tuple begins with the loss
        return outputs[1] if plain else logits_in(outputs)

    def labels_of(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The labels among the model's inputs.

        Raises:
            CurateError: there are none of the Trainer's label_names.
        """
        for name in (*(self.label_names or ()), *LABELS):
            if name in inputs:
                return inputs[name]
        raise CurateError(
            f"train_dataset: a batch has {sorted(inputs)}, but no labels; name them in "
            "TrainingArguments(label_names=[...])"
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The Trainer's loss; the logits it came from are recorded where the model trains."""
        inputs = dict(inputs)
        ids = inputs.pop("example_id", None)
        labels = self.labels_of(inputs) if model.training else None
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if model.training:
            if ids is None:
                raise CurateError(self._why_no_ids())
            assert labels is not None
            logits = self.logits_of(outputs)
            if self._one_ahead is None:
                self._one_ahead = is_one_ahead(model, loss, logits, labels, num_items_in_batch)
            if self._one_ahead:
                logits, labels = logits[:, :-1], labels[:, 1:]
            self.recorder.update(ids, logits, labels)
        return (loss, outputs) if return_outputs else loss

    def prediction_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        """The Trainer's own, without the ids, which no model takes."""
        plain = {name: value for name, value in inputs.items() if name != "example_id"}
        return super().prediction_step(model, plain, *rest, **options)

    def _why_no_ids(self) -> str:
        if "example_id" in (getattr(self.train_dataset, "column_names", None) or ()):
            return (
                "train_dataset: it has the column 'example_id', but a batch has not; its transform "
                "or the collator drops it, so let them pass it on"
            )
        return "train_dataset: no 'example_id' in a batch; wrap it with curate.data.with_ids"

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        columns: Any = self._signature_columns
        if "example_id" not in columns:
            self._signature_columns = [*columns, "example_id"]  # type: ignore[assignment]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *rest: Any, **options: Any) -> Any:
        path = os.path.join(resume_from_checkpoint, _FILE)
        if not os.path.exists(path):
            raise CurateError(
                f"resume_from_checkpoint: {path!r} is missing; resume from a checkpoint that a "
                "RecordingTrainer wrote"
            )
        self.recorder.load_state_dict(torch.load(path, weights_only=True))
        return super()._load_from_checkpoint(resume_from_checkpoint, *rest, **options)


class _KeepIds:
    """A collator that passes ids by the one it wraps, most of which drop strings."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator

    def __getattr__(self, name: str) -> Any:
        if name == "collator":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.collator, name)

    def __call__(self, features: Any) -> Any:
        first = features[0] if isinstance(features, list) and features else None
        if not isinstance(first, dict) or not isinstance(first.get("example_id"), str):
            return self.collator(features)
        ids = [each["example_id"] for each in features]
        kept = [{k: v for k, v in each.items() if k != "example_id"} for each in features]
        batch = self.collator(kept)
        batch["example_id"] = ids
        return batch


class _Follow(TrainerCallback):
    """Ends the recorder's epochs and saves it beside every checkpoint."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._recorder.end_epoch()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._recorder.exchange()  # on all ranks, as this is called on all of them
        if not state.is_world_process_zero:
            return
        folder = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        # in memory first: torch.save hides that a disk is full behind a message of its own
        content = io.BytesIO()
        torch.save(self._recorder.state_dict(), content)
        with atomic_path(os.path.join(folder, _FILE)) as path:
            path.write_bytes(content.getbuffer())
