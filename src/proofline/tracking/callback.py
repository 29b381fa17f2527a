"""From a transformers Trainer's log to the run: loss, learning rate, gradient norm and TRL's own curves, by step.

The trainers are configured with `report_to="none"`: their MLflow integration would open a run of its own and add a
hundred and fifty params that the recipe does not know. Imports transformers; import it late.
"""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from proofline.tracking.progress import doing
from proofline.tracking.run import Run


class TrackingCallback(TrainerCallback):
    """Forwards every number the Trainer logs, and adds `tokens_per_second` since the log before."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tokens = 0.0
        self._since = time.perf_counter()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock; a resumed training starts counting where its log ends."""
        self._tokens = next((entry["num_tokens"] for entry in reversed(state.log_history) if "num_tokens" in entry), 0)
        self._since = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        doing(f"step {state.global_step} of {state.max_steps}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """One point on each curve, from the first process only."""
        numbers = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        if not state.is_world_process_zero or "train_runtime" in numbers:
            return
        self._run.log_metrics(numbers | self._throughput(numbers), step=state.global_step)

    def _throughput(self, numbers: dict[str, float]) -> dict[str, float]:
        """Tokens a second between two logs of TRL's running count."""
        if "num_tokens" not in numbers:
            return {}
        now = time.perf_counter()
        rate = (numbers["num_tokens"] - self._tokens) / (now - self._since)
        self._tokens, self._since = numbers["num_tokens"], now
        return {"tokens_per_second": rate}
