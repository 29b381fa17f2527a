"""Preference pairs: who is paired, what a row and the ledger say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import isnan, nan

import pytest
from graded_rows import PROBLEM, grade, solution
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.schema import Pairs
from proofline.data.graded import Candidate, by_problem
from proofline.data.pairs import build_pairs, ledger
from proofline.records import PreferencePair, Problem, Solution, Verdict


def section(**changes: object) -> Pairs:
    return Pairs.model_validate({"per_problem": 2, "off_policy": False, "rule": "random", **changes})


def paired(
    rows: list[tuple[Solution, Verdict]], **changes: object
) -> tuple[list[PreferencePair], dict[str, int | float]]:
    problems = {row.problem_id: PROBLEM.model_copy(update={"id": row.problem_id}) for row, _ in rows}
    candidates = [Candidate(row, grade(row, verdict)) for row, verdict in rows]
    return built(problems.values(), candidates, section(**changes))


def built(
    problems: Iterable[Problem], candidates: list[Candidate], section: Pairs
) -> tuple[list[PreferencePair], dict[str, int | float]]:
    counts: Counter[str] = Counter()
    return list(build_pairs(by_problem(problems, candidates), section, 0, counts)), ledger(counts)


@given(st.lists(st.sampled_from(["correct", "wrong", "unparsed"]), max_size=12), st.integers(1, 4))
def test_pairs_join_right_with_wrong_and_the_ledger_adds_up(verdicts: list[Verdict], most: int) -> None:
    rows = [(solution(i, f"text {i}"), verdict) for i, verdict in enumerate(verdicts)]
    graded = {row.id: verdict for row, verdict in rows}
    pairs, ledger = paired(rows, per_problem=most)
    right, wrong = verdicts.count("correct"), verdicts.count("wrong")
    assert len(pairs) == min(right, wrong, most)
    assert ledger["pairs"] + ledger["pairs_not_taken"] == right * wrong
    assert ledger["solutions_without_label"] == verdicts.count("unparsed")
    kinds = ("all_right", "all_wrong", "mixed", "without_label")
    assert ledger["problems_sampled"] == sum(ledger[f"problems_{kind}"] for kind in kinds) == bool(verdicts)
    used = [i for pair in pairs for i in (pair.chosen_id, pair.rejected_id)]
    assert len(used) == len(set(used))
    for pair in pairs:
        assert (graded[pair.chosen_id], graded[pair.rejected_id]) == ("correct", "wrong")


@pytest.mark.parametrize(
    "reason",
    ["math-verify cannot parse the answer, and the texts differ", "no final answer", "needed more than 10 s of CPU",
     "the worker died twice"],
)  # fmt: skip
def test_what_nobody_could_grade_is_on_neither_side(reason: str) -> None:
    """`\\boxed{5:00}` against `05:00`, `3 dozen` against 36: not read is not wrong, whatever the reason."""
    right, unknown = solution(0, "x"), solution(1, r"\boxed{5:00}")
    unread = grade(unknown, "unparsed").model_copy(update={"reason": reason})
    candidates = [Candidate(right, grade(right, "correct")), Candidate(unknown, unread)]
    pairs, ledger = built([PROBLEM], candidates, section())
    assert pairs == []
    assert (ledger["problems_all_right"], ledger["problems_mixed"], ledger["solutions_without_label"]) == (1, 0, 1)


def test_solutions_of_another_policy_are_left_out_or_declared() -> None:
    """A right solution from `published` and a wrong one from `sft` are no pair."""
    theirs = [(solution(i, f"theirs {i}", policy="published", weights="", tokens=0), "correct") for i in range(2)]
    own = [(solution(5, "own"), "wrong")]
    pairs, ledger = paired([*theirs, *own])
    assert pairs == []
    assert (ledger["solutions_off_policy_left_out"], ledger["problems_all_wrong"]) == (2, 1)

    pairs, ledger = paired([*theirs, *own], off_policy=True)
    assert pairs == [], "not across samplers either"
    assert ledger["problems_mixed"] == 1

    wrong = (solution(9, "theirs, wrong", policy="published", weights="", tokens=0), "wrong")
    pairs, ledger = paired([*theirs, wrong, *own], off_policy=True)
    assert [pair.on_policy for pair in pairs] == [False]
    assert ledger["pairs_off_policy"] == 1
    assert isnan(ledger["length_ratio"]), "nobody knows the published ones' lengths in tokens"


def test_other_weights_under_the_same_name_are_another_sampler() -> None:
    pairs, _ = paired([(solution(0, "a", weights="old"), "correct"), (solution(1, "b", weights="new"), "wrong")])
    assert pairs == []


def test_a_row_tells_where_both_sides_come_from() -> None:
    right, wrong = solution(3, "right", tokens=30), solution(4, "wrong", tokens=20)
    ((pair,), ledger) = paired([(right, "correct"), (wrong, "wrong")])
    for origin, row, verdict in ((pair.chosen_from, right, "correct"), (pair.rejected_from, wrong, "wrong")):
        assert (origin.policy, origin.weights, origin.decoding) == (row.policy, row.weights, row.decoding)
        assert (origin.seed, origin.sample_index, origin.num_tokens) == (row.seed, row.sample_index, row.num_tokens)
        assert (origin.grade.solution_id, origin.grade.verdict) == (row.id, verdict)
    assert pair.on_policy
    assert pair.settings == {"per_problem": 2, "off_policy": False, "rule": "random", "seed": 0}
    assert (ledger["length_ratio"], ledger["pairs_per_problem"]) == (1.5, 1)
    assert PreferencePair.model_validate_json(pair.model_dump_json()) == pair


def test_nothing_gives_an_empty_ledger() -> None:
    pairs, ledger = paired([])
    assert pairs == []
    assert ledger == pytest.approx(
        {
            **dict.fromkeys(
                ["problems_sampled", "problems_all_right", "problems_all_wrong", "problems_mixed",
                 "problems_without_label", "solutions_without_label", "solutions_off_policy_left_out",
                 "pairs_not_taken", "pairs", "pairs_off_policy"], 0,
            ),
            "pairs_per_problem": nan, "length_ratio": nan,
        }, nan_ok=True,
    )  # fmt: skip


def test_pairs_do_not_depend_on_the_order_of_the_samples() -> None:
    rows = [(solution(i, f"text {i}"), "correct" if i % 2 else "wrong") for i in range(6)]
    assert paired(rows)[0] == paired(rows[::-1])[0]


def test_the_closest_edit_is_preferred_when_the_rule_says_so() -> None:
    texts = (("3*12=36 #### 36", "correct"), ("3*12=35 #### 35", "wrong"), ("something else", "wrong"))
    (pair,), _ = paired(
        [(solution(i, text), verdict) for i, (text, verdict) in enumerate(texts)], per_problem=1, rule="shortest_edit"
    )
    assert pair.rejected_id == "s1"
