"""build_traces: graded samples, published critiques -> data/traces.jsonl, its ledger, data/right_solutions.jsonl."""

from __future__ import annotations

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.data.traces import build_traces, right_solutions
from proofline.records import Grade, Problem, Solution, VerificationTrace
from proofline.storage.artifacts import write_json
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main() -> None:
    params = load_params()
    with track("build_traces", sections={"traces": params.traces, "seed": params.seed}) as run:
        problems = {problem.id: problem for problem in read_records("data/problems/train.jsonl", Problem)}
        sft, own, published = (read_graded(policy) for policy in ("sft", "dpo", "published"))
        critiques = read_records("data/critiques.jsonl", VerificationTrace)
        traces, ledger = build_traces(problems, [*sft, *own, *published], critiques, params.traces, params.seed)
        write_records("data/traces.jsonl", traces)
        solutions = right_solutions(problems, [*own, *published])
        write_records("data/right_solutions.jsonl", solutions)
        ledger["right_solutions"] = len(solutions)
        write_json("data/traces.json", ledger)
        run.log_metrics(ledger)


def read_graded(policy: str) -> list[tuple[Solution, Grade]]:
    """A policy's samples with their grades, which stand in the same order."""
    samples = "data/published.jsonl" if policy == "published" else f"data/samples/{policy}.jsonl"
    return list(zip(read_records(samples, Solution), read_records(f"data/grades/{policy}.jsonl", Grade), strict=True))


if __name__ == "__main__":
    main()
