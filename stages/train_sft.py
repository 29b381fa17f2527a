"""train_sft: models/base, data/demonstrations.jsonl -> models/sft."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.launch import launch
from proofline.records import Demonstration
from proofline.registry import register
from proofline.storage.records import read_records
from proofline.tracking import track
from proofline.training.execution import Execution
from proofline.training.sft import train_sft

POLICY = Path("models/sft")


def main() -> None:
    params, environment = load_params(), load_environment()
    demonstrations = read_records("data/demonstrations.jsonl", Demonstration)
    sections = {"sft": params.sft, "prompts": params.prompts, "seed": params.seed}
    with track("train_sft", sections=sections) as run:
        train = partial(
            train_sft, Path("models/base"), demonstrations, params.prompts, params.sft, params.seed, POLICY,
            execution=Execution.of(environment),
        )  # fmt: skip
        metrics = launch(train, run, environment, params.sft.precision)
        run.log_metrics(metrics)
        register(POLICY, policy="sft", metrics=metrics, run=run)


if __name__ == "__main__":
    main()
