"""train_solutions: as train_genrm, without the traces' loss -> models/solutions.

The ablation of train_genrm; no model to use, so it is not registered.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.launch import launch
from proofline.records import Demonstration, VerificationTrace
from proofline.storage.records import read_records
from proofline.tracking import track
from proofline.training.execution import Execution
from proofline.training.genrm import train_genrm

POLICY = Path("models/solutions")


def main() -> None:
    params, environment = load_params(), load_environment()
    traces = read_records("data/traces.jsonl", VerificationTrace)
    solutions = read_records("data/right_solutions.jsonl", Demonstration)
    sections = {"genrm": params.genrm, "prompts": params.prompts, "seed": params.seed}
    with track("train_solutions", sections=sections) as run:
        train = partial(
            train_genrm, Path("models/dpo"), traces, solutions, params.prompts, params.genrm, params.seed, POLICY,
            mute_traces=True, execution=Execution.of(environment),
        )  # fmt: skip
        run.log_metrics(launch(train, run, environment, params.genrm.precision))


if __name__ == "__main__":
    main()
