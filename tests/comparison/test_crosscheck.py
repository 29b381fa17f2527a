"""The cross-check's causes, on the harness's real log: every item that two readers count differently has one."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from checkout import REPOSITORY

from proofline.grading import GRADER, grade_text
from proofline.records import Grade, Problem

LOG = Path(__file__).parent / "logs/lm_eval/dpo/samples_tiny_math.jsonl"
STRICT, FLEXIBLE = "strict-match", "flexible-extract"


@pytest.fixture(scope="module")
def causes() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "benchmarks")
        return importlib.import_module("crosscheck_causes")


def graded(text: str, reference: str) -> Grade:
    return Grade(solution_id="", problem_id="", grader=GRADER, **grade_text(text, reference)._asdict())


@pytest.fixture(scope="module")
def rows(causes: ModuleType) -> list[Any]:
    """Each document of the log; the side of Proofline is the harness's own text."""
    found: dict[int, Any] = {}
    for row in map(json.loads, LOG.read_text(encoding="utf-8").splitlines()):
        if row["doc_id"] not in found:
            question, reference = row["doc"]["question"], row["doc"]["answer"]
            problem = Problem(
                id=f"log-{row['doc_id']}", source="log", family="word", split="test", question=question, solution="",
                answer=reference, skeleton="",
            )  # fmt: skip
            answer = causes.Answer([1], [2], graded(row["resps"][0][0], reference))
            found[row["doc_id"]] = causes.Both(problem, answer, answer, {}, {})
        found[row["doc_id"]].taken[row["filter"]] = row["filtered_resps"][0]
        found[row["doc_id"]].right[row["filter"]] = bool(row["exact_match"])
    return list(found.values())


def test_each_item_that_is_counted_differently_has_a_cause_and_no_other_has(
    causes: ModuleType, rows: list[Any]
) -> None:
    for reader in (STRICT, FLEXIBLE):
        assert [row.cause(reader) is not None for row in rows] == [row.ours.right != row.right[reader] for row in rows]
    # `\boxed{}` is nothing to the strict reader; the last number of a solution is its answer to the flexible one.
    strict = Counter(row.cause(STRICT) for row in rows if row.ours.right)
    assert strict == {None: 7, causes.NOTHING: 6}
    assert not any(row.cause(FLEXIBLE) for row in rows)
    boxed = next(row for row in rows if row.cause(STRICT))
    assert "strict-match took '[invalid]', wrong" in boxed.told(STRICT)
    assert r"from '\boxed'" in boxed.told(STRICT)


def test_another_generation_is_the_cause_before_any_reading_of_it(causes: ModuleType, rows: list[Any]) -> None:
    right, wrong = (next(row for row in rows if row.ours.right is side and row.right[STRICT] is side)
                    for side in (True, False))  # fmt: skip
    assert replace(right, ours=wrong.ours).cause(STRICT) == causes.GENERATION
    # As wrong as ours, though it was written otherwise: what the readers make of one text is left.
    assert replace(wrong, right={STRICT: True}, taken={STRICT: "0"}).cause(STRICT) == causes.OTHER


@pytest.mark.parametrize(
    ("text", "taken", "kind"),
    [
        ("The sum is 10, and then 5 more", "5", "UNREAD"),
        ("5 and 7 make 12.\n#### 12\nThe last 5 was not asked", "5", "OTHER"),
        ("#### $1,005.", "1,005.", "JUDGED"),
    ],
)
def test_readings(causes: ModuleType, rows: list[Any], text: str, taken: str, kind: str) -> None:
    answer = causes.Answer([1], [2], graded(text, "1005" if kind == "JUDGED" else "5"))
    both = causes.Both(rows[0].problem, answer, answer, {FLEXIBLE: taken}, {FLEXIBLE: not answer.right})
    assert both.cause(FLEXIBLE) == getattr(causes, kind)


@pytest.mark.parametrize(
    ("ours", "theirs", "at"),
    [([5, 6, 2], [5, 6, 2], None), ([5, 6, 2], [5, 7, 2], 1), ([5, 2], [5, 6, 2], 1), ([5, 6], [5, 6, 7], 2)],
)
def test_tokens_are_compared_up_to_the_end(causes: ModuleType, ours: list[int], theirs: list[int], at: int) -> None:
    assert causes.first_difference(ours, theirs) == at
    # Whichever end token came, and whatever padding lies behind it.
    assert causes.until_end([*ours, 3, 0, 0], ends=(2, 3), end=2) == [*ours[: ours.index(2)], 2] if 2 in ours else True


@pytest.mark.parametrize("path", sorted((REPOSITORY / "benchmarks/results").glob("crosscheck_*.json")))
def test_every_difference_of_the_committed_cross_checks_is_explained(path: Path) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["runs"]["as set"]["same prompts"] == found["settings"]["problems"]
    apart = found["settings"]["problems"] - found["runs"]["as set"]["same generations"]
    assert len(found["generations_that_part"]) == apart
    for reader in (STRICT, FLEXIBLE):
        one = found["compared"][f"exact_match,{reader}"]
        told = sum(len(items) for items in found["items"][reader].values())
        assert told == one["proofline_higher"] + one["harness_higher"]
