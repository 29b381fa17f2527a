"""From a transformers Trainer's log to the run: loss, learning rate, gradient norm and TRL's own curves, by step.

The trainers are configured with `report_to="none"`: their MLflow integration would open a run of its own and add a
hundred and fifty params that the recipe does not know. Imports transformers; import it late.

A training that was killed goes on from a checkpoint, in the run that the checkpoint names; in a new one where the store
has that no more. The checkpoint holds the curves up to there (the Trainer's log), and here what they have cost, so that
the run that ends has all steps and the whole cost.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from proofline.tracking.progress import doing
from proofline.tracking.run import Run
from proofline.tracking.spool import CONTINUES

STARTS = "starts"
"""Beside the checkpoints of a training: a byte for every time that it began."""
ID_SECONDS = 10.0
"""How long a first checkpoint waits for the id of the run it belongs to, which is known 4 s after the stage's start."""


class TrackingCallback(TrainerCallback, ExportableState):
    """Forwards every number the Trainer logs, and adds `tokens_per_second` since the log before."""

    def __init__(self, run: Run, trainer: Any = None, folder: Path | None = None) -> None:
        self._run = run
        self._folder = folder
        """Of this training's checkpoints; None where it keeps none."""
        self._trainer = trainer
        """TRL's trainer: its count of tokens begins at 0 wherever the training goes on from."""
        self._run_id: str | None = None
        self._learning: threading.Thread | None = None
        self._tokens = 0.0
        self._began = self._since = time.perf_counter()
        self.earlier_seconds = 0.0
        """What the steps before the checkpoint took."""
        self._last_loss = ""
        """As the progress line says it."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this."""
        if self._learning:
            self._learning.join(ID_SECONDS)
            self._learning = None
        seconds = self.earlier_seconds + time.perf_counter() - self._began
        tokens = getattr(self._trainer, "_total_train_tokens", self._tokens)
        return {"args": {}, "attributes": {"tokens": tokens, "seconds": seconds, "run_id": self._run_id}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock; a resumed training goes on from the costs of its checkpoint, and says its curve again."""
        self._began = self._since = time.perf_counter()
        self._tokens = next((entry["num_tokens"] for entry in reversed(state.log_history) if "num_tokens" in entry), 0)
        earlier = state.stateful_callbacks.setdefault(type(self).__name__, self.state())["attributes"]
        if state.global_step:
            self._tokens, self.earlier_seconds = earlier["tokens"], earlier["seconds"]
            if self._trainer is not None:
                self._trainer._total_train_tokens = earlier["tokens"]
        if state.is_world_process_zero:
            if restarts := _count_start(self._folder):
                self._run.set_tag("proofline.restarts", str(restarts))
            if state.global_step:
                self._resume(state, earlier["run_id"])
            self._learning = threading.Thread(target=self._learn_run_id, daemon=True)
            self._learning.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        doing(f"step {state.global_step} of {state.max_steps}{self._last_loss}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """One point on each curve, from the first process only. The Trainer's own log gets our number too."""
        numbers = _numbers(logs or {})
        if not state.is_world_process_zero or "train_runtime" in numbers:
            return
        if "loss" in numbers:
            self._last_loss = f", loss {numbers['loss']:.4g}"
        rate = self._throughput(numbers)
        if state.log_history:
            state.log_history[-1].update(rate)
        self._run.log_metrics(numbers | rate, step=state.global_step)

    def _resume(self, state: TrainerState, earlier_run: str | None) -> None:
        """The run that goes on has the curve from its first step; a spool that has these points leaves them out."""
        self._run.set_tag("proofline.resumed_from", str(state.global_step))
        if earlier_run:
            self._run.set_tag(CONTINUES, earlier_run)
        for entry in state.log_history:
            numbers = _numbers(entry)
            self._run.log_metrics(numbers, step=int(numbers.pop("step")))

    def _learn_run_id(self) -> None:
        """For the checkpoints; the recorder knows it seconds after the stage's start."""
        self._run_id = self._run.id()

    def _throughput(self, numbers: dict[str, float]) -> dict[str, float]:
        """Tokens a second between two logs of TRL's running count."""
        if "num_tokens" not in numbers:
            return {}
        now = time.perf_counter()
        rate = (numbers["num_tokens"] - self._tokens) / (now - self._since)
        self._tokens, self._since = numbers["num_tokens"], now
        return {"tokens_per_second": rate}


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in logs.items() if isinstance(value, int | float)}


def _count_start(folder: Path | None) -> int:
    """How often this training had begun before: of one that keeps no checkpoints, the launcher alone knows."""
    if folder is None:
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / STARTS, "ab") as starts:
            before = starts.tell()
            starts.write(b".")
    except OSError:  # a full disk: the count is not worth the training
        return 0
    return before
