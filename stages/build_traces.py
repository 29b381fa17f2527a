"""build_traces: graded samples, demonstrations, critiques -> data/traces.jsonl, traces.json, right_solutions.jsonl."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import Prompts, Writing
from proofline.data.candidates import length_drift, right_solutions, written_candidates
from proofline.data.graded import Candidate, by_problem, graded
from proofline.data.traces import Asked, Write, build_traces, program, published
from proofline.grading import SHARD_SOLUTIONS, grade_all
from proofline.launch import keeping, spread
from proofline.launch.kept import Parts
from proofline.records import Critique, Demonstration, Grade, Problem, Solution, VerificationTrace
from proofline.storage.artifacts import write_json
from proofline.storage.records import iter_records, write_records
from proofline.storage.rows import Aside, ById, Rows
from proofline.tracking import track

POLICY = Path("models/dpo")
"""Whose verifications the source `self` is: the policy that becomes the verifier."""
SAMPLES = {"sft": "data/samples/sft.jsonl", "dpo": "data/samples/dpo.jsonl", "published": "data/published.jsonl"}


def main() -> None:
    params, environment = load_params(), load_environment()
    sections = {"traces": params.traces, "prompts": params.prompts, "seed": params.seed}
    with (
        track("build_traces", sections=sections) as run,
        keeping("build_traces", sections, [str(POLICY)], environment, run) as kept,
        Aside("data", VerificationTrace) as aside,
    ):
        problems = Rows("data/problems/train.jsonl", Problem)
        demonstrations = iter_records("data/demonstrations.jsonl", Demonstration)
        by_id = ById(problems)
        written = written_candidates(by_id, demonstrations, params.traces.corrupted, params.seed)
        sampled = by_problem(problems, *map(read_graded, SAMPLES), grade(written, by_id, environment))
        writer = partial(
            writer_of, section=params.traces.writing, prompts=params.prompts, seed=params.seed,
            environment=environment, kept=kept,
        )  # fmt: skip
        writers: dict[str, Write] = {source: writer(source) for source in params.traces.sources}
        traces, ledger = build_traces(sampled, writers, params.traces, params.seed, aside)
        write_records("data/traces.jsonl", traces)
        solutions = right_solutions(by_problem(problems, read_graded("dpo"), read_graded("published")))
        ledger["right_solutions"] = write_records("data/right_solutions.jsonl", solutions)
        ledger["length_drift"] = length_drift(*(iter_records(SAMPLES[policy], Solution) for policy in ("sft", "dpo")))
        write_json("data/traces.json", ledger)
        run.log_metrics(ledger)


def read_graded(policy: str) -> Iterator[Candidate]:
    """A policy's samples with their grades."""
    return graded(iter_records(SAMPLES[policy], Solution), iter_records(f"data/grades/{policy}.jsonl", Grade))


def grade(solutions: Iterator[Solution], problems: ById[Problem], environment: Environment) -> Iterator[Candidate]:
    """What was written on purpose is graded like what was sampled."""
    grade_shard = partial(
        grade_all, problems=problems, workers=environment.grader_workers,
        deadline_seconds=environment.grader_deadline_seconds,
    )  # fmt: skip
    while shard := list(islice(solutions, SHARD_SOLUTIONS)):
        grades = spread(grade_shard, shard, environment, shard_size=SHARD_SOLUTIONS, each="machine")
        yield from graded(shard, grades)


def writer_of(
    source: str, section: Writing, prompts: Prompts, seed: int, environment: Environment, kept: Parts
) -> Write:
    """The writer of a source's chains."""
    if source == "program":
        return program
    if source == "published":
        return published(ById(Rows("data/critiques.jsonl", Critique), "solution_id"))
    if source == "endpoint":
        from proofline.verification.teacher import ask_teacher, the_teacher

        return partial(ask_teacher, the_teacher(environment), section=section, run_seed=seed)
    return partial(ask_policy, section=section, prompts=prompts, seed=seed, environment=environment, kept=kept)


def ask_policy(
    asked: Sequence[Asked], section: Writing, prompts: Prompts, seed: int, environment: Environment, kept: Parts
) -> list[list[str]]:
    """The policy's verifications, by as many processes as there are; those of an interrupted stage are taken up."""
    from proofline.sampling.policy import decoded_by, shard_size
    from proofline.verification.write import write_chains

    folder, rows = POLICY.absolute(), environment.sampling_rows
    write = partial(write_chains, folder, prompts=prompts, section=section, run_seed=seed, rows=rows)
    size = shard_size(section.attempts, rows)
    chains = spread(
        write, asked, environment, shard_size=size, each=decoded_by(folder), draws=section.attempts,
        kept=kept(list[str]),
    )  # fmt: skip
    return list(chains)


if __name__ == "__main__":
    main()
