"""Recording inside a Hugging Face Trainer (extra ``curate-data[transformers]``)."""

import os
from typing import Any

import torch

from curate.errors import CurateError
from curate.files import atomic_path
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
    subclass: give the data set an integer ``example_id`` column (``curate.data.with_ids``)
    and add ``recorder=``; everything else is as in ``transformers.Trainer``. Logits and labels
    are taken as they are: for a causal language model, whose logits are one token ahead of its
    labels, override :meth:`labels_of` and :meth:`logits_of`.
    """

    def __init__(self, *arguments: Any, recorder: Recorder, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.recorder = recorder
        self.add_callback(_Follow(recorder))

    def logits_of(self, outputs: Any) -> torch.Tensor:
        """The logits among the model's outputs."""
        return outputs["logits"] if isinstance(outputs, dict) else outputs[1]

    def labels_of(self, inputs: dict[str, Any]) -> torch.Tensor:
        """The labels among the model's inputs."""
        return inputs["labels"]

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
        labels = self.labels_of(inputs)
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if model.training:
            if ids is None:
                raise CurateError(
                    "train_dataset: no 'example_id' column; wrap it with curate.data.with_ids"
                )
            self.recorder.update(ids, self.logits_of(outputs), labels)
        return (loss, outputs) if return_outputs else loss

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


class _Follow(TrainerCallback):
    """Ends the recorder's epochs and saves it beside every checkpoint."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._recorder.end_epoch()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        if state.is_world_process_zero:
            with atomic_path(os.path.join(folder, _FILE)) as path:
                torch.save(self._recorder.state_dict(), path)
