"""Recording inside a Lightning Trainer (extra ``curate-data[lightning]``)."""

from typing import Any

from curate.errors import CurateError
from curate.record.distributed import DistributedRecorder, recorder_for
from curate.record.loops.batches import ids_and_labels
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

        callback = RecorderCallback(len(dataset))  # or all ids
        Trainer(callbacks=[callback]).fit(...)
        callback.recorder.table()

    Batches are tuples that end in labels and ids, as ``curate.data.with_ids`` makes them, or
    dicts with ``example_id`` and ``labels``, ``label``, ``targets``, ``target`` or ``y``. For
    batches of any other shape let ``training_step`` return ``labels`` and ``example_id`` too. A
    step that returns None, or no loss, is skipped by Lightning and not recorded.

    Args:
        recorder: a Recorder; or the number of examples, or their ids, or None for one that grows,
            of which the callback makes the right one when training starts: a
            ``DistributedRecorder`` where several processes train together.
        options: of the Recorder that is made, ``history=True`` for instance.

    Attributes:
        recorder: the Recorder; None before training starts if it is to be made.
    """

    def __init__(self, recorder: Any = None, **options: Any) -> None:
        made = isinstance(recorder, Recorder)
        if made and options:
            raise CurateError(f"options: {sorted(options)}, but the Recorder is made; give its ids")
        self.recorder: Recorder = recorder if made else None  # type: ignore[assignment]
        self._n_or_ids, self._options = None if made else recorder, options

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Make the Recorder, now that there is a process group where there is to be one.

        Raises:
            CurateError: a plain Recorder was given where several processes train together.
        """
        if self.recorder is None:
            self.recorder = recorder_for(self._n_or_ids, **self._options)
        elif trainer.world_size > 1 and not isinstance(self.recorder, DistributedRecorder):
            raise CurateError(
                f"recorder: a plain Recorder, but {trainer.world_size} processes train together; "
                "give RecorderCallback the ids or their number, and it makes the right one"
            )

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the batch.

        Raises:
            CurateError: no logits among the outputs, or no ids in the batch.
        """
        if outputs is None or (isinstance(outputs, dict) and not outputs):
            return
        if not isinstance(outputs, dict) or "logits" not in outputs:
            raise CurateError(
                "training_step: it returned no 'logits'; return {'loss': loss, 'logits': logits}"
            )
        if "example_id" in outputs and "labels" in outputs:
            ids, labels = outputs["example_id"], outputs["labels"]
        else:
            try:
                ids, labels = ids_and_labels(batch)
            except CurateError as error:
                raise CurateError(
                    f"{error}; or return 'labels' and 'example_id' from training_step"
                ) from None
        self.recorder.update(ids, outputs["logits"], labels)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the recorder's epoch, which raises for ids it does not know."""
        self.recorder.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """The recorder's state, for the model's checkpoint; all ranks are asked for it."""
        if self.recorder is None:
            return {}
        self.recorder.exchange()
        return self.recorder.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the model's checkpoint."""
        if state_dict:
            self.recorder.load_state_dict(state_dict)
