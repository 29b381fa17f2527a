"""Problems solved by two policies, right, wrong, or in the same words; and what a judge is shown of them."""

from __future__ import annotations

import re
from typing import Any

from proofline.judging.sides import Sides
from proofline.records import Decoding, Problem, Solution


def problem(index: int) -> Problem:
    return Problem(
        id=f"gsm8k-{index}", source="gsm8k", family="word", split="test", question=f"What is {index} + 1?",
        solution=f"{index}+1={index + 1}\n#### {index + 1}", answer=str(index + 1), skeleton=f"s{index}",
    )  # fmt: skip


def solution(policy: str, index: int, text: str) -> Solution:
    return Solution(
        id=f"{policy}-{index}", problem_id=f"gsm8k-{index}", policy=policy, weights="0" * 16,
        decoding=Decoding(temperature=0.0, top_p=1.0, max_new_tokens=8), sample_index=0, seed=0, text=text,
        num_tokens=3, logprob=-1.0, finished=True,
    )  # fmt: skip


def sides(*texts: tuple[str, str]) -> list[Sides]:
    """Ours and theirs, problem by problem."""
    return [
        Sides(problem(i), solution("sft", i, ours), solution("base", i, theirs))
        for i, (ours, theirs) in enumerate(texts)
    ]


def shown(request: dict[str, Any]) -> tuple[str, str]:
    """The solutions A and B."""
    content = request["messages"][0]["content"]
    first, second = (re.search(rf"<solution_{one}>\n(.*?)\n</solution_{one}>", content, re.S) for one in "AB")
    assert first
    assert second
    return first[1], second[1]
