"""What of a Trainer's log reaches the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofline.tracking import progress
from proofline.tracking.spool import Spool, read_events


@pytest.mark.slow
def test_curves_reach_the_run_and_the_closing_summary_does_not(tmp_path: Path) -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from proofline.tracking.callback import TrackingCallback

    spool = Spool(tmp_path / "run.jsonl")
    callback = TrackingCallback(spool)
    arguments, control = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True), TrainerControl()
    state = TrainerState(log_history=[{"num_tokens": 1000.0}])  # a resumed training
    callback.on_train_begin(arguments, state, control)
    for step, logs in (
        (5, {"loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.5, "num_tokens": 3000.0}),
        (9, {"loss": 0.25, "num_tokens": 3000.0}),
        (9, {"train_runtime": 3.0, "train_loss": 0.4}),
    ):
        state.global_step = step
        callback.on_log(arguments, state, control, logs)
    callback.on_step_end(arguments, TrainerState(global_step=10, max_steps=12), control)
    assert progress._status() == "step 10 of 12, loss 0.25"
    state.is_world_process_zero = False
    callback.on_log(arguments, state, control, {"loss": 9.0})

    events, _ = read_events(spool.path)
    assert [event["step"] for event in events] == [5, 9]
    first, second = (event["values"] for event in events)
    assert first.pop("tokens_per_second") > 0, "2000 tokens since the training was resumed"
    assert first == {"loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.5, "num_tokens": 3000.0}
    assert second["tokens_per_second"] == 0, "no tokens since the log before"
