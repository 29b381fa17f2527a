"""judge: whose greedy solution is right, each policy against the opponent -> reports/judge/."""

from __future__ import annotations

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.config.schema import POLICIES
from proofline.data.subset import subset
from proofline.evaluation.judge import judge, win_rates
from proofline.evaluation.metrics import scalars
from proofline.records import Grade, Judgement, Problem
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main() -> None:
    params = load_params()
    section, opponent = params.evaluation, params.judge.opponent
    with track("judge", sections={"evaluation": section, "judge": params.judge, "seed": params.seed}) as run:
        problems = subset(read_records("data/problems/test.jsonl", Problem), section.problems)
        grades = {policy: read_records(f"reports/evaluate/{policy}/greedy_grades.jsonl", Grade) for policy in POLICIES}
        judgements: list[Judgement] = []
        policies = {}
        for policy in (name for name in grades if name != opponent):
            rows = judge(problems, policy, opponent, grades[policy], grades[opponent])
            policies[policy] = win_rates(problems, rows, section, params.seed)
            judgements += rows
        metrics = {"opponent": opponent, "policies": policies}
        write_records("reports/judge/judgements.jsonl", judgements)
        write_json("reports/judge/metrics.json", metrics)
        run.log_metrics(scalars(policies))


if __name__ == "__main__":
    main()
