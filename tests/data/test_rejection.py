"""Demonstrations: references as they came, or the base's right solutions; one form of answer; what the ledger says."""

from __future__ import annotations

from collections import Counter
from math import isnan

import pytest
from graded_rows import PROBLEM, grade, solution
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.schema import Demonstrations
from proofline.data.graded import Candidate, Sampled
from proofline.data.rejection import DemonstrationsError, build_demonstrations, ledger
from proofline.records import Demonstration, Verdict

REFERENCE = Demonstration(id="r", problem_id="p", question=PROBLEM.question, solution=PROBLEM.solution, style="worked")
PLAIN, BOXED = "{question}", r"{question} Answer within \boxed{}."


def section(**changes: object) -> Demonstrations:
    return Demonstrations.model_validate({"source": "sampled", "per_problem": 2, "rule": "shortest", **changes})


def drawn(index: int, text: str, verdict: Verdict = "correct", finished: bool = True, tokens: int = 5) -> Candidate:
    row = solution(index, text, policy="base", tokens=tokens).model_copy(update={"finished": finished})
    return Candidate(row, grade(row, verdict))


def built(
    *rows: Candidate, prompt: str = PLAIN, **changes: object
) -> tuple[list[Demonstration], dict[str, int | float]]:
    counts: Counter[str] = Counter()
    sampled = [Sampled(PROBLEM, (list(rows),))] if rows else []
    made = build_demonstrations({"p": PROBLEM}, [REFERENCE], sampled, section(**changes), prompt, 0, counts)
    return list(made), ledger(counts)


def test_references_pass_as_they_came() -> None:
    assert built(source="reference") == ([REFERENCE], {"demonstrations": 1, "worked": 1, "restated": 0})


def test_a_solution_that_should_not_be_learnt_from_is_refused_and_counted() -> None:
    disputed = drawn(4, "5+36=41\n#### 41")
    disputed = disputed._replace(grade=disputed.grade.model_copy(update={"second_verdict": "wrong"}))
    rows, ledger = built(
        drawn(0, "14+36=50\n50-9=41\n#### 41", tokens=9),
        drawn(1, "14+36=49\n#### 49", "wrong"),
        drawn(2, "it is 41", "unparsed"),
        drawn(3, "14+36-9=41\n#### 41", finished=False),
        disputed,
        drawn(5, "14+36=49\n50-9=41\n#### 41"),
    )
    assert [(row.id, row.style, row.solution) for row in rows] == [("s0", "base", "14+36=50\n50-9=41\n#### 41")]
    assert ledger == {
        "demonstrations": 1, "base": 1, "restated": 0, "problems_sampled": 1, "problems_demonstrated": 1,
        "solutions": 6, "solutions_without_label": 2, "solutions_wrong": 1, "solutions_cut_off": 1,
        "solutions_false_equation": 1, "solutions_alike": 0, "solutions_over_limit": 0, "yield": 1 / 6,
        "mean_tokens": 9.0,
    }  # fmt: skip


def test_of_those_that_reckon_alike_the_shortest_stays() -> None:
    rows, ledger = built(
        drawn(0, "First 3*12=36, then 36+14=50, and last 50-9=41.\n#### 41", tokens=30),
        drawn(1, "12*3 = 36\n14 + 36 = 50\n50 - 9 = 41\n#### 41", tokens=20),
        drawn(2, "14+3*12-9=41\n#### 41", tokens=12),
        drawn(3, "36-9=27\n27+14=41\n#### 41", tokens=25),
    )
    assert [row.id for row in rows] == ["s2", "s1"]
    assert (ledger["solutions_alike"], ledger["solutions_over_limit"]) == (1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["correct", "wrong", "unparsed"])), max_size=12),
    st.integers(1, 4), st.sampled_from(["shortest", "random"]),
)  # fmt: skip
def test_the_ledger_adds_up_and_no_order_matters(kinds: list[tuple[int, Verdict]], most: int, rule: str) -> None:
    rows = [drawn(i, f"{kind}+{41 - kind}=41\n#### 41", verdict) for i, (kind, verdict) in enumerate(kinds)]
    right = {kind for kind, verdict in kinds if verdict == "correct"}
    if not right:
        with pytest.raises(DemonstrationsError, match=r"no solution of the base.*sampling\.base_problems"):
            built(*rows, per_problem=most, rule=rule)
        return
    found, ledger = built(*rows, per_problem=most, rule=rule)
    assert len(found) == ledger["demonstrations"] == min(most, len(right))
    refused = sum(count for name, count in ledger.items() if name.startswith("solutions_"))
    assert len(found) + refused == ledger["solutions"] == len(rows)
    assert not isnan(ledger["yield"])
    assert built(*reversed(rows), per_problem=most, rule=rule)[0] == found


def test_all_answers_stand_in_the_form_that_the_prompt_asks_for() -> None:
    (reference,), ledger = built(prompt=BOXED, source="reference")
    assert reference.solution == "Bought: 3*12=36\nNow: 14+36=50\nLeft: 50-9=41\n\\boxed{41}"
    assert ledger["restated"] == 1
    (own,), ledger = built(drawn(0, "3*12=36. The answer is 41."), prompt=BOXED)
    assert own.solution == "3*12=36. The answer is 41.\n\\boxed{41}"
    (kept,), ledger = built(drawn(0, r"It is $\boxed{41}$."), prompt=BOXED)
    assert (kept.solution, ledger["restated"]) == (r"It is $\boxed{41}$.", 0)
