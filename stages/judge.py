"""judge: whose greedy solution is better, each policy's or the opponent's -> reports/judge/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import POLICIES, EndpointJudge, Prompts, Verification
from proofline.data.subset import subset
from proofline.evaluation.judge import judge, win_rates
from proofline.evaluation.judges import judge_metrics
from proofline.evaluation.metrics import scalars
from proofline.judging.sides import Sides, pair_up
from proofline.launch import keeping, spread
from proofline.launch.kept import Parts
from proofline.records import Grade, Judgement, Problem, Solution, Verdict
from proofline.records import Verification as Verified
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.storage.weights import weights_hash
from proofline.tracking import Run, track
from proofline.tracking.progress import doing, drawing

GENRM = Path("models/genrm")


def main() -> None:
    params, environment = load_params(), load_environment()
    section, kind, opponent = params.evaluation, params.judge.kind, params.judge.opponent
    sections = {
        "evaluation": section, "judge": params.judge, "prompts": params.prompts, "verification": params.verification,
        "seed": params.seed,
    }  # fmt: skip
    inputs = [str(GENRM)] if kind == "genrm" else []
    with (
        track("judge", sections=sections) as run,
        keeping("judge", sections, inputs, environment, run) as kept,
    ):
        problems = subset(read_records("data/problems/test.jsonl", Problem), section.problems)
        grades = {policy: read_records(f"reports/evaluate/{policy}/greedy_grades.jsonl", Grade) for policy in POLICIES}
        others = [policy for policy in POLICIES if policy != opponent]
        truth = {policy: judge(problems, policy, opponent, grades[policy], grades[opponent]) for policy in others}
        judged, policies = dict(truth), {}
        if kind != "ground_truth":
            read = {policy: read_records(f"reports/evaluate/{policy}/greedy.jsonl", Solution) for policy in POLICIES}
            sides = {policy: pair_up(problems, read[policy], read[opponent]) for policy in others}
            every = [one for policy in others for one in sides[policy]]
            if kind == "endpoint":
                rows = ask(every, params.judge.endpoint, environment, run)
            else:
                rows = score(every, params.prompts, params.verification, params.seed, environment, kept)
            judged = {policy: rows[at * len(problems) :][: len(problems)] for at, policy in enumerate(others)}
        for policy, rows in judged.items():
            policies[policy] = win_rates(problems, rows, section, params.seed)
            if kind != "ground_truth":
                lengths = {one.problem.id: (len(one.ours.text), len(one.theirs.text)) for one in sides[policy]}
                policies[policy]["judging"] = judge_metrics(
                    problems, rows, truth[policy], lengths, section, params.seed
                )  # fmt: skip
        write_records("reports/judge/judgements.jsonl", [row for rows in judged.values() for row in rows])
        write_json("reports/judge/metrics.json", {"opponent": opponent, "judge": kind, "policies": policies})
        run.log_metrics(scalars(policies))


def ask(sides: Sequence[Sides], section: EndpointJudge, environment: Environment, run: Run) -> list[Judgement]:
    """By a model behind an API. What it cost goes to the run: it depends on what the cache had."""
    from proofline.endpoint import Endpoint
    from proofline.judging.endpoint import REMEDY, judge_by_endpoint

    endpoint = Endpoint.of(environment, environment.judge_url, REMEDY)
    doing(drawing(2 * sum(not one.identical for one in sides)))
    judgements = judge_by_endpoint(endpoint, sides, section)
    run.log_metrics(endpoint.spent.metrics(environment))
    return judgements


def score(
    sides: Sequence[Sides],
    prompts: Prompts,
    section: Verification,
    seed: int,
    environment: Environment,
    kept: Parts,
) -> list[Judgement]:
    """By the trained verifier."""
    from proofline.judging.genrm import judge_by_genrm
    from proofline.verification.served import scoring_by

    folder = GENRM.absolute()
    by = scoring_by(environment, folder, prompts, section, seed)

    def score_all(candidates: Sequence[tuple[Problem, Solution, Verdict]]) -> list[Verified]:
        return list(
            spread(
                by.function, candidates, environment, shard_size=by.shard_size, each=by.each,
                draws=section.num_chains, kept=kept(Verified),
            )
        )  # fmt: skip

    return judge_by_genrm(score_all, sides, f"genrm {weights_hash(folder)}")


if __name__ == "__main__":
    main()
