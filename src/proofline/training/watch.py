"""Two ways in which preference optimisation goes wrong while its loss looks fine, watched and told.

The chosen solutions can become less likely along with the rejected ones (Pal et al. 2024, "Smaug"), and where one side
is longer the policy learns the length (Park et al. 2024). Imports transformers; import it late.
"""

from __future__ import annotations

import sys
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from proofline.tracking import Run

CHANGE = "logps/chosen_change"
"""How much likelier the chosen solutions are than under the starting policy: nats a solution, since the last log."""
LAST_SHARE = 0.25
"""Share of the logged points, at the end, whose mean is judged: one batch says little."""
FALL_NATS = 0.1
"""A mean fall of less than this is no news: one step's rounding."""
LENGTHS = (0.8, 1.25)
"""Chosen tokens over rejected tokens: outside of it, which is longer nearly tells which is right."""


class PreferenceWatch(TrainerCallback):
    """Adds `logps/chosen_change` to every log and, where something goes wrong, a warning to the run.

    Added before the callback that forwards the logs, so that the number goes along.
    """

    def __init__(self, run: Run, beta: float, length_ratio: float) -> None:
        self._run, self._beta, self._length_ratio = run, beta, length_ratio

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "rewards/chosen" in logs:
            # TRL's reward is beta times this.
            logs[CHANGE] = logs["rewards/chosen"] / self._beta
            if state.log_history:
                state.log_history[-1][CHANGE] = logs[CHANGE]

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        found = warnings([entry[CHANGE] for entry in state.log_history if CHANGE in entry], self._length_ratio)
        if found and state.is_world_process_zero:
            self._run.set_tag("proofline.warning", " ".join(found))
            for line in found:
                print(f"train_dpo: warning: {line}", file=sys.stderr, flush=True)


def warnings(changes: list[float], length_ratio: float) -> list[str]:
    """What is to be told of a training with these changes, in order, on pairs with this ratio of lengths."""
    found = []
    last = changes[-max(1, round(LAST_SHARE * len(changes))) :]
    if last and sum(last) / len(last) < -FALL_NATS:
        found.append(
            f"the chosen solutions became less likely, by {-sum(last) / len(last):.2f} nats each: raise "
            "dpo.sft_weight, or lower dpo.learning_rate."
        )
    if length_ratio and not LENGTHS[0] <= length_ratio <= LENGTHS[1]:
        found.append(
            f"chosen solutions have {length_ratio:.2f} times the tokens of rejected ones, so the policy may learn the "
            "length: see whether its samples' length drifts (length_drift in data/traces.json), or set pairs.rule to "
            "shortest_edit."
        )
    return found
