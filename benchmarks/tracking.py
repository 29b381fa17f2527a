"""What tracking costs a training: time inside the run's calls, as a share of the time of the steps.

    python benchmarks/tracking.py [--rounds 3] [--threads 2] [--rows 3000] [--small]

SFT of the recipe with the real recorder (MLflow in a process beside) and with a run that keeps nothing, in turns, in
one process. Measured directly: seconds in `log_metrics`, once at every logged step. For comparison, what
`mlflow.log_metrics` costs at every step to the same store, as a plain training loop calls it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from report import table, write_result

from proofline.base.source import BUNDLED
from proofline.config import Environment, load_params
from proofline.data.demonstrations import write_demonstrations
from proofline.data.synthetic import generate_problems
from proofline.tracking import NullRun, track
from proofline.tracking.run import Run
from proofline.training.execution import Execution
from proofline.training.sft import train_sft

GOAL = 0.005


class Timed(NullRun):
    """Hands on what it is told and keeps the seconds that took, call by call."""

    def __init__(self, run: Run) -> None:
        self.run, self.seconds, self.last = run, [], {}  # type: ignore[var-annotated]

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        began = time.perf_counter()
        self.run.log_metrics(metrics, step)
        self.seconds.append(time.perf_counter() - began)
        self.last = dict(metrics)


def plain_mlflow(uri: str, metrics: dict[str, float], calls: int) -> float:
    """Seconds of one `mlflow.log_metrics` of a step's numbers, the median of many."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    seconds = []
    with mlflow.start_run():
        for step in range(calls):
            began = time.perf_counter()
            mlflow.log_metrics(metrics, step=step)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--small", action="store_true", help="256 rows, one round: does it work?")
    options = parser.parse_args()
    if options.small:
        options.rows, options.rounds = 256, 1
    recipe = load_params()
    rows = write_demonstrations(list(generate_problems("train", options.rows, seed=0)), options.rows, seed=0)
    with TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder  # spools and artifacts go there
        environment = Environment(tracking_uri=f"sqlite:///{folder}/mlflow.db", threads=options.threads)

        def train(run: Timed) -> dict[str, float]:
            return train_sft(BUNDLED, rows, recipe.prompts, recipe.sft, 0, Path(folder) / "sft", run,
                             execution=Execution(threads=options.threads))  # fmt: skip

        def recorded(run: Callable[[Timed], dict[str, float]]) -> tuple[Timed, dict[str, float]]:
            with track("train_sft", sections={"sft": recipe.sft}, environment=environment) as real:
                timed = Timed(real)
                return timed, run(timed)

        train(Timed(NullRun()))
        runs = []
        for _ in range(options.rounds):
            timed, metrics = recorded(train)
            untracked = train(Timed(NullRun()))
            runs.append({
                "steps": metrics["steps"], "loop_seconds": metrics["seconds"], "calls": len(timed.seconds),
                "seconds_in_calls": sum(timed.seconds), "share": sum(timed.seconds) / metrics["seconds"],
                "loop_seconds_untracked": untracked["seconds"],
            })  # fmt: skip
        plain = plain_mlflow(environment.tracking_uri, timed.last, calls=20 if options.small else 200)
    step_seconds = statistics.median(run["loop_seconds"] / run["steps"] for run in runs)
    share = statistics.median(run["share"] for run in runs)
    per_call = statistics.median(run["seconds_in_calls"] / run["calls"] for run in runs)
    print(table(["", "a call, ms", "of the step time"],
                [["proofline, as often as it logs", f"{1000 * per_call:.3f}", f"{100 * share:.3f}%"],
                 ["proofline, at every step", f"{1000 * per_call:.3f}", f"{100 * per_call / step_seconds:.3f}%"],
                 ["mlflow.log_metrics at every step", f"{1000 * plain:.3f}",
                  f"{100 * plain / step_seconds:.1f}%"]]))  # fmt: skip
    print(f"goal: at most {100 * GOAL}%; a step takes {1000 * step_seconds:.0f} ms")
    write_result("tracking", vars(options), ["torch", "trl", "mlflow"], step_seconds=step_seconds, share=share,
                 seconds_per_call=per_call, plain_mlflow_seconds_per_call=plain, runs=runs)  # fmt: skip


if __name__ == "__main__":
    main()
