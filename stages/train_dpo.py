"""train_dpo: models/sft, data/pairs.jsonl -> models/dpo."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.launch import launch
from proofline.records import PreferencePair
from proofline.registry import register
from proofline.storage.records import read_records
from proofline.tracking import track
from proofline.training.dpo import train_dpo
from proofline.training.execution import Execution

POLICY = Path("models/dpo")


def main() -> None:
    params, environment = load_params(), load_environment()
    pairs = read_records("data/pairs.jsonl", PreferencePair)
    sections = {"dpo": params.dpo, "prompts": params.prompts, "seed": params.seed}
    with track("train_dpo", sections=sections) as run:
        train = partial(
            train_dpo, Path("models/sft"), pairs, params.prompts, params.dpo, params.seed, POLICY,
            execution=Execution.of(environment),
        )  # fmt: skip
        metrics = launch(train, run, environment, params.dpo.precision)
        run.log_metrics(metrics)
        register(POLICY, policy="dpo", metrics=metrics, run=run)


if __name__ == "__main__":
    main()
