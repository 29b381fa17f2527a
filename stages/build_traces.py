"""build_traces: graded samples, demonstrations, critiques -> data/traces.jsonl, traces.json, right_solutions.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import Prompts, Writing
from proofline.data.candidates import Candidate, length_drift, right_solutions, written_candidates
from proofline.data.traces import Asked, Write, build_traces, program, published
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.launch import spread
from proofline.records import Critique, Demonstration, Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track

POLICY = Path("models/dpo")
"""Whose verifications the source `self` is: the policy that becomes the verifier."""


def main() -> None:
    params, environment = load_params(), load_environment()
    sections = {"traces": params.traces, "prompts": params.prompts, "seed": params.seed}
    with track("build_traces", sections=sections) as run:
        problems = {problem.id: problem for problem in read_records("data/problems/train.jsonl", Problem)}
        sft, own, others = (read_graded(policy) for policy in ("sft", "dpo", "published"))
        demonstrations = read_records("data/demonstrations.jsonl", Demonstration)
        written = written_candidates(problems, demonstrations, params.traces.corrupted, params.seed)
        candidates = [*sft, *own, *others, *grade(written, problems, environment)]
        writer = partial(
            writer_of, section=params.traces.writing, prompts=params.prompts, seed=params.seed, environment=environment
        )
        writers: dict[str, Write] = {source: writer(source) for source in params.traces.sources}
        traces, ledger = build_traces(problems, candidates, writers, params.traces, params.seed)
        write_records("data/traces.jsonl", traces)
        solutions = right_solutions(problems, [*own, *others])
        write_records("data/right_solutions.jsonl", solutions)
        ledger["right_solutions"] = len(solutions)
        ledger["length_drift"] = length_drift(sft, own)
        write_json("data/traces.json", ledger)
        run.log_metrics(ledger)


def read_graded(policy: str) -> list[Candidate]:
    """A policy's samples with their grades, which stand in the same order."""
    samples = "data/published.jsonl" if policy == "published" else f"data/samples/{policy}.jsonl"
    graded = zip(read_records(samples, Solution), read_records(f"data/grades/{policy}.jsonl", Grade), strict=True)
    return [Candidate(solution, verdict) for solution, verdict in graded]


def grade(solutions: Sequence[Solution], problems: dict[str, Problem], environment: Environment) -> list[Candidate]:
    """What was written on purpose is graded like what was sampled."""
    grade_shard = partial(
        grade_all, problems=problems, workers=environment.grader_workers,
        deadline_seconds=environment.grader_deadline_seconds,
    )  # fmt: skip
    grades = spread(grade_shard, solutions, environment, shard_size=SHARD_SOLUTIONS, each="machine")
    return [Candidate(solution, verdict) for solution, verdict in zip(solutions, grades, strict=True)]


def writer_of(source: str, section: Writing, prompts: Prompts, seed: int, environment: Environment) -> Write:
    """The writer of a source's chains."""
    if source == "program":
        return program
    if source == "published":
        return published(read_records("data/critiques.jsonl", Critique))
    if source == "endpoint":
        from proofline.verification.teacher import ask_teacher, the_teacher

        return partial(ask_teacher, the_teacher(environment), section=section, run_seed=seed)
    return partial(ask_policy, section=section, prompts=prompts, seed=seed, environment=environment)


def ask_policy(
    asked: Sequence[Asked], section: Writing, prompts: Prompts, seed: int, environment: Environment
) -> list[list[str]]:
    """The policy's verifications, by as many processes as there are."""
    from proofline.sampling.policy import decoded_by, shard_size
    from proofline.verification.write import write_chains

    folder, rows = POLICY.absolute(), environment.sampling_rows
    write = partial(write_chains, folder, prompts=prompts, section=section, run_seed=seed, rows=rows)
    size = shard_size(section.attempts, rows)
    return list(spread(write, asked, environment, shard_size=size, each=decoded_by(folder), draws=section.attempts))


if __name__ == "__main__":
    main()
