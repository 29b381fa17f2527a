"""verify: the GenRM's P(Yes) for a policy's test samples -> reports/verify/verifications.jsonl, metrics.json."""

from __future__ import annotations

from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.answers import read_answer
from proofline.config import load_environment, load_params
from proofline.data.chain import verify as check
from proofline.data.equations import find_equations
from proofline.data.layout import layout
from proofline.data.subset import subset
from proofline.evaluation.metrics import scalars
from proofline.evaluation.scored import Appearance
from proofline.evaluation.verifier import evaluate_verifier
from proofline.launch import keeping, spread
from proofline.records import Grade, Problem, Solution, Verification
from proofline.storage.artifacts import write_json
from proofline.storage.rows import ById, Each, Rows, write_rows
from proofline.storage.weights import weights_hash
from proofline.tracking import track


def main() -> None:
    params, environment = load_params(), load_environment()
    section, policy = params.verification, params.verification.policy
    sections = {
        "verification": section, "evaluation": params.evaluation, "prompts": params.prompts, "seed": params.seed
    }  # fmt: skip
    with (
        track("verify", sections=sections) as run,
        keeping("verify", sections, ["models/genrm"], environment, run) as kept,
    ):
        from proofline.verification.served import scoring_by

        problems = subset(Rows("data/problems/test.jsonl", Problem), params.evaluation.problems)
        by_id = ById(problems)
        samples = Rows(f"reports/evaluate/{policy}/samples.jsonl", Solution)
        grades = Rows(f"reports/evaluate/{policy}/sample_grades.jsonl", Grade)
        candidates = Each(
            lambda solution, grade: (by_id[solution.problem_id], solution, grade.verdict), samples, grades
        )  # fmt: skip
        by = scoring_by(environment, Path("models/genrm").absolute(), params.prompts, section, params.seed)
        scores = spread(
            by.function, candidates, environment, shard_size=by.shard_size, each=by.each, draws=section.num_chains,
            kept=kept(Verification),
        )  # fmt: skip
        verifications = write_rows("reports/verify/verifications.jsonl", scores, Verification)
        appearances = ((solution.id, appearance(problem, solution)) for problem, solution, _ in candidates)
        metrics = evaluate_verifier(problems, verifications, grades, appearances, params.evaluation, params.seed)
        about = {"weights": weights_hash("models/genrm"), "policy": policy}
        write_json("reports/verify/metrics.json", {**about, **metrics})
        run.log_metrics(scalars(metrics))


def appearance(problem: Problem, solution: Solution) -> Appearance:
    """What a candidate looks like, what its sampler knew of it, and what the program says."""
    checked = check(problem.question, solution.text)
    return Appearance(
        layout=layout(solution.text),
        equations=len(find_equations(solution.text)),
        characters=len(solution.text),
        program=None if checked is None else checked.accepts,
        answer=read_answer(solution.text, solution.finished).answer,
        num_tokens=solution.num_tokens,
        logprob=solution.logprob,
    )


if __name__ == "__main__":
    main()
