"""A problem, solutions of it and their grades, for the tests of pairs and traces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from tempfile import gettempdir
from typing import Any

from proofline.config.schema import Traces
from proofline.data.graded import Candidate, by_problem
from proofline.data.traces import Write, build_traces
from proofline.records import Decoding, Grade, Problem, Solution, Verdict, VerificationTrace
from proofline.storage.rows import Aside

PROBLEM = Problem(
    id="p", source="synthetic", family="word", split="train", skeleton="s", answer="41",
    question="Tom has 14 pens, buys 3 bags of 12, loses 9. How many pens?",
    solution="Bought: 3*12=36\nNow: 14+36=50\nLeft: 50-9=41\n#### 41",
)  # fmt: skip
DECODING = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=64)


def solution(
    index: int, text: str, problem_id: str = "p", policy: str = "sft", weights: str = "w", tokens: int = 5
) -> Solution:
    return Solution(
        id=f"s{index}", problem_id=problem_id, policy=policy, weights=weights, decoding=DECODING, sample_index=index,
        seed=index, text=text, num_tokens=tokens, logprob=-1.0, finished=True,
    )  # fmt: skip


def grade(row: Solution, verdict: Verdict) -> Grade:
    return Grade(
        solution_id=row.id, problem_id=row.problem_id, verdict=verdict,
        extracted=row.text.split()[-1] if verdict != "unparsed" else None, reason="", grader="test",
    )  # fmt: skip


def traced(
    problems: Mapping[str, Problem], rows: Iterable[Candidate], writers: Mapping[str, Write], section: Traces
) -> tuple[list[VerificationTrace], dict[str, Any]]:
    """Traces of candidates in any order of the problems, and their ledger."""
    places = {problem_id: place for place, problem_id in enumerate(problems)}
    ordered = sorted(rows, key=lambda row: places[row.problem_id])
    with Aside(gettempdir(), VerificationTrace) as aside:
        traces, ledger = build_traces(by_problem(problems.values(), ordered), writers, section, 0, aside)
        return list(traces), ledger
