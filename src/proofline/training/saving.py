"""The trainer's doors for a checkpoint, and our state behind them.

transformers' Trainer knows when it is between two steps, counts and skips batches, and asks for its state by the name
of a folder. What it would save and load itself, pickles among it, is taken over: one method saves, two load, and the
others have nothing left to do. Imports transformers; import it late.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import transformers.trainer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from proofline.checkpoints.cadence import Cadence
from proofline.checkpoints.folder import Folder
from proofline.checkpoints.place import PlaceError
from proofline.checkpoints.store import step_folder
from proofline.checkpoints.writer import Writer
from proofline.storage.space import full_disk
from proofline.training.ending import Ending
from proofline.training.snapshot import Snapshot, Stored


class Saving(TrainerCallback):
    """Saves when it is time, and puts the trainer where a stored checkpoint stands."""

    def __init__(
        self, trainer: Any, writer: Writer, cadence: Cadence, ending: Ending, stored: Stored | None, scratch: Path
    ) -> None:
        self._trainer, self._writer, self._cadence, self._ending = trainer, writer, cadence, ending
        self._stored = stored
        self._snapshot = Snapshot()
        self._writing_step = 0
        self.stopped_seconds: list[float] = []
        """How long the steps stood still at each save."""
        self.trainer_folder: str | None = None
        """What the trainer is told to resume from."""
        if stored:
            (scratch / TRAINER_STATE_NAME).write_text(json.dumps(stored.trainer_state), encoding="utf-8")
            self.trainer_folder = str(scratch)

    @property
    def patience_seconds(self) -> float:
        """How long a training that is stopped waits for the checkpoint that is being written."""
        return self._ending.seconds_left if self._ending.asked else self._ending.seconds

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Inside the block the trainer saves and loads through this."""
        trainer = self._trainer
        trainer.add_callback(self)
        trainer._save_checkpoint = lambda model, trial: self.save()
        trainer._load_from_checkpoint = trainer._load_scaler = lambda *_, **__: None
        if stored := self._stored:
            trainer._load_optimizer_and_scheduler = lambda _: stored.put(trainer)
            trainer._load_rng_state = lambda _: stored.put_random(trainer.args.process_index)
        # The one door that is no method: DeepSpeed's own files are not there to be loaded.
        with patch.object(transformers.trainer, "deepspeed_load_checkpoint", lambda *_, **__: None):
            try:
                yield
            finally:
                self._ending.unwatch()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._stored:
            self._stored.put_sums(self._trainer)
        self._cadence.begin(state.global_step)
        self._ending.watch()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._ending.unwatch()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        writer = self._writer
        if writer.error and not writer.is_writing:
            self._raise(writer.error)
        if self._cadence.is_due(state.global_step, writer.is_writing, writer.seconds, writer.busy_seconds):
            control.should_save = True
        if self._ending.look(state.global_step, state.max_steps):
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The last one, if it is: processes leave together, since one that is missed takes the others with it."""
        if not self._ending.agreed:
            return
        self._writer.wait(self._ending.seconds_left)
        self._trainer.accelerator.wait_for_everyone()
        if state.is_world_process_zero:
            kept = state.global_step in self._writer.store.committed()
            reason = "" if kept else f": {self._writer.error or 'it takes too long to write'}"
            said = f"step {state.global_step} is {'' if kept else 'not '}kept{reason}"
            print(f"checkpoints: stopped, {said}", file=sys.stderr, flush=True)
        self._ending.end()

    def save(self) -> None:
        """Copy the state, and have it written while the steps go on; the one before must be written by then. Without
        memory for a copy the steps wait."""
        began = time.perf_counter()
        self._writer.wait()
        if self._writer.error:
            self._raise(self._writer.error)
        self._writing_step = self._trainer.state.global_step
        self._writer.start(self._writing_step, self._snapshot.take(self._trainer))
        if not self._snapshot.is_copy:
            self._writer.wait()
        self.stopped_seconds.append(time.perf_counter() - began)
        self._cadence.kept(self.stopped_seconds[-1])

    def _raise(self, error: Exception) -> None:
        """The error of a writing, in words. A place that does not answer may do so later: that ends nothing."""
        store = self._writer.store
        if isinstance(error, PlaceError):
            self._writer.error = None
            print(f"checkpoints: step {self._writing_step} is not kept: {error}", file=sys.stderr, flush=True)
            return
        if isinstance(store.place, Folder):
            part = store.place.root / step_folder(self._writing_step) / self._writer.share
            whole = [step for step in store.committed() if step != self._writing_step]
            kept = f"step {whole[0]} is kept, and the training goes on from it" if whole else "There is none before it"
            if full := full_disk(
                part,
                self._snapshot.num_bytes,
                f"{kept}: make room there, or move {store.place.root.parents[1]} to a larger disk and leave a link to "
                "it, and start the stage again. PROOFLINE_SAVE_STEPS is how many steps lie between two, and "
                "PROOFLINE_CHECKPOINTS=none keeps none.",
                error,
            ):
                raise full from error
        raise error
