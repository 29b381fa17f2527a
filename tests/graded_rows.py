"""A problem, solutions of it and their grades, for the tests of pairs and traces."""

from __future__ import annotations

from proofline.records import Decoding, Grade, Problem, Solution, Verdict

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
