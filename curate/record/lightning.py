"""Recording inside a Lightning Trainer (extra ``curate-data[lightning]``)."""

from typing import Any

from curate.errors import CurateError
from curate.record.recorder import Recorder

try:
    from lightning.pytorch import Callback
except ImportError as error:
    raise CurateError(
        "lightning: not installed; pip install 'curate-data[lightning]' brings it"
    ) from error


class RecorderCallback(Callback):
    """Calls a Recorder after every training batch, and checkpoints it with the model.

    Lightning shows a callback what ``training_step`` returns, so return the logits as well::

        def training_step(self, batch, batch_index):
            images, labels, example_id = batch  # from curate.data.with_ids
            logits = self(images)
            return {"loss": cross_entropy(logits, labels), "logits": logits}

        Trainer(callbacks=[RecorderCallback(recorder)])

    Batches are tuples that end in labels and ids, as ``curate.data.with_ids`` makes them, or
    dicts with ``example_id`` and ``label`` or ``labels``.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the batch.

        Raises:
            CurateError: no logits among the outputs, or no ids in the batch.
        """
        if not isinstance(outputs, dict) or "logits" not in outputs:
            raise CurateError(
                "training_step: it returned no 'logits'; return {'loss': loss, 'logits': logits}"
            )
        if isinstance(batch, dict) and "example_id" in batch:
            ids, labels = batch["example_id"], batch["labels" if "labels" in batch else "label"]
        elif isinstance(batch, (tuple, list)) and len(batch) >= 3:
            labels, ids = batch[-2:]
        else:
            raise CurateError(
                "batch: no example ids in it; wrap the data set with curate.data.with_ids"
            )
        self.recorder.update(ids, outputs["logits"], labels)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the recorder's epoch, which raises for ids it does not know."""
        self.recorder.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """The recorder's state, for the model's checkpoint."""
        return self.recorder.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the model's checkpoint."""
        self.recorder.load_state_dict(state_dict)
