"""Verification traces: which candidates are verified, and how a program writes the chain.

A chain walks the candidate's equations beside those of the reference, stops at the first that is wrong and ends
in the verdict line of GenRM-CoT (Zhang et al. 2024, "Generative Verifiers"). It copies the candidate's equation
before it states the expected one: a verifier that derives its own value first tends to restate that value as if
it were the candidate's. Candidates are the policies' own right and wrong solutions, plus corrupted references.
Beside the traces go right solutions: what the verifier is trained on so that it can still solve problems.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from random import Random

from proofline.answers import read_answer
from proofline.config.schema import Traces
from proofline.data.equations import Equation, corrupt, find_equations
from proofline.data.prompts import verdict
from proofline.records import Demonstration, Grade, Problem, Solution, VerificationTrace, stable_id


def build_traces(
    problems: Mapping[str, Problem],
    graded: Iterable[tuple[Solution, Grade]],
    critiques: Iterable[VerificationTrace],
    section: Traces,
    seed: int,
) -> tuple[list[VerificationTrace], dict[str, int]]:
    """Traces with as many Yes as No, in a stable shuffled order, and the ledger's counts."""
    by_problem: dict[str, list[VerificationTrace]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    ledger: Counter[str] = Counter()
    labels: dict[str, bool] = {}
    for solution, grade in graded:
        ledger["candidates"] += 1
        labels[solution.id] = grade.verdict == "correct"
        if (solution.problem_id, solution.text) in seen:
            ledger["dropped_same_text"] += 1
            continue
        seen.add((solution.problem_id, solution.text))
        problem = problems[solution.problem_id]
        by_problem[problem.id].append(
            program_trace(problem, solution.id, solution.text, grade.extracted, labels[solution.id])
        )
    for trace in critiques:
        if labels.get(trace.solution_id, trace.label) != trace.label:
            ledger["dropped_critique_against_grade"] += 1
            continue
        by_problem[trace.problem_id].append(trace)
        ledger["critiques"] += 1
    chosen: list[VerificationTrace] = []
    for problem_id, traces in by_problem.items():
        chosen += _balanced(traces, section.per_problem, seed)
        chosen += _corrupted(problems[problem_id], section.corrupted, seed)
    balanced = _balanced(chosen, section.limit or len(chosen), seed)
    ledger["dropped_for_balance"] = len(chosen) - len(balanced)
    for trace in balanced:
        ledger[f"{trace.origin}_{'yes' if trace.label else 'no'}"] += 1
    ledger["traces"] = len(balanced)
    return balanced, dict(ledger)


def right_solutions(problems: Mapping[str, Problem], graded: Iterable[tuple[Solution, Grade]]) -> list[Demonstration]:
    """The distinct right solutions: a verifier trained on its policy's own, beside traces, stays that policy."""
    rows: dict[str, Demonstration] = {}
    for solution, grade in graded:
        if grade.verdict == "correct":
            row_id = stable_id("right solution", solution.problem_id, solution.text)
            rows.setdefault(
                row_id,
                Demonstration(
                    id=row_id,
                    problem_id=solution.problem_id,
                    question=problems[solution.problem_id].question,
                    solution=solution.text,
                    style=solution.policy,
                ),
            )
    return list(rows.values())


def _balanced(traces: list[VerificationTrace], limit: int, seed: int) -> list[VerificationTrace]:
    """At most `limit` traces, half Yes and half No; where one kind is short, as many of the other as it has, but at
    least one. Drawn and ordered by a seeded hash of the id, so that a new candidate does not move the others."""

    def order(trace: VerificationTrace) -> str:
        return stable_id("trace order", seed, trace.id)

    yes = sorted((trace for trace in traces if trace.label), key=order)
    no = sorted((trace for trace in traces if not trace.label), key=order)
    half = max(1, min(len(yes), len(no), limit // 2))
    return sorted(yes[:half] + no[:half], key=order)


def _corrupted(problem: Problem, count: int, seed: int) -> list[VerificationTrace]:
    rng = Random(f"corrupted {seed} {problem.id}")
    copies = {corrupt(problem.solution, problem.question, rng) for _ in range(count)} - {None}
    return [
        program_trace(problem, f"corrupted-{stable_id(problem.id, copy)}", copy, read_answer(copy).answer, label=False)
        for copy in sorted(copy for copy in copies if copy)
    ]


def program_trace(
    problem: Problem, solution_id: str, candidate: str, answer: str | None, label: bool
) -> VerificationTrace:
    return VerificationTrace(
        id=stable_id("program trace", solution_id),
        problem_id=problem.id,
        solution_id=solution_id,
        question=problem.question,
        candidate=candidate,
        chain=write_chain(problem, candidate, answer, label),
        label=label,
        origin="program",
    )


def write_chain(problem: Problem, candidate: str, answer: str | None, label: bool) -> str:
    """The chain for a candidate whose readable final answer is `answer` (None: none) and whose grade is `label`."""
    expected = find_equations(problem.solution)
    lines = _side_by_side(expected, find_equations(candidate))
    if lines is None or (label and lines[-1].endswith("mismatch")):
        lines = ["expected " + ", ".join(map(str, expected))] if expected else []
    if not (lines and lines[-1].endswith("mismatch")):
        lines.append(f"answer {answer or 'none'}, expected {problem.answer}: {'match' if label else 'mismatch'}")
    return "\n".join([*lines, verdict(label)])


def _side_by_side(expected: list[Equation], found: list[Equation]) -> list[str] | None:
    """A line per equation up to the first wrong one; None where the two derivations are not laid out alike."""
    couples = list(zip(found, expected, strict=False))
    if not couples or (len(found) != len(expected) and not any(mine.same_as(right) for mine, right in couples)):
        return None
    lines = []
    for mine, right in couples:
        match = mine.same_as(right)
        lines.append(f"{mine}, expected {right}: {'match' if match else 'mismatch'}")
        if not match:
            break
    return lines
