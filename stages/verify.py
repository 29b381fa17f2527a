"""verify: the GenRM's P(Yes) for a policy's test samples -> reports/verify/verifications.jsonl, metrics.json."""

from __future__ import annotations

from functools import partial
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
from proofline.storage.records import read_records, write_records
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
        from proofline.sampling.policy import decoded_by, shard_size
        from proofline.verification import verify

        problems = subset(read_records("data/problems/test.jsonl", Problem), params.evaluation.problems)
        by_id = {problem.id: problem for problem in problems}
        samples = read_records(f"reports/evaluate/{policy}/samples.jsonl", Solution)
        grades = read_records(f"reports/evaluate/{policy}/sample_grades.jsonl", Grade)
        candidates = [
            (by_id[solution.problem_id], solution, grade.verdict)
            for solution, grade in zip(samples, grades, strict=True)
        ]
        genrm = Path("models/genrm").absolute()
        score = partial(
            verify, genrm, prompts=params.prompts, section=section, run_seed=params.seed,
            rows=environment.sampling_rows,
        )  # fmt: skip
        size = shard_size(section.num_chains, environment.sampling_rows)
        verifications = list(
            spread(
                score, candidates, environment, shard_size=size, each=decoded_by(genrm), draws=section.num_chains,
                kept=kept(Verification),
            )
        )  # fmt: skip
        appearances = {solution.id: appearance(problem, solution) for problem, solution, _ in candidates}
        metrics = evaluate_verifier(problems, verifications, grades, appearances, params.evaluation, params.seed)
        write_records("reports/verify/verifications.jsonl", verifications)
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
