"""Selection of pairs and traces: who is paired, what a chain says, and that every row can be walked back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.schema import Pairs, Traces
from proofline.data.pairs import PairingError, build_pairs
from proofline.data.prompts import NO, VERDICT_LINE, YES
from proofline.data.traces import build_traces, write_chain
from proofline.records import Decoding, Grade, Problem, Solution, Verdict

PROBLEM = Problem(
    id="p", source="synthetic", family="word", split="train", question="Tom has 14 pens, buys 3 bags of 12, loses 9.",
    solution="Bought: 3*12=36\nNow: 14+36=50\nLeft: 50-9=41\n#### 41", answer="41", skeleton="s",
)  # fmt: skip
DECODING = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=64)


def solution(index: int, text: str, problem_id: str = "p") -> Solution:
    return Solution(
        id=f"s{index}", problem_id=problem_id, policy="sft", weights="w", decoding=DECODING, sample_index=index,
        seed=index, text=text, num_tokens=5, logprob=-1.0, finished=True,
    )  # fmt: skip


def grade(row: Solution, verdict: Verdict) -> Grade:
    return Grade(
        solution_id=row.id, problem_id=row.problem_id, verdict=verdict,
        extracted=row.text.split()[-1] if verdict != "unparsed" else None, reason="", grader="test",
    )  # fmt: skip


def section(**changes: object) -> Pairs:
    return Pairs.model_validate({"per_problem": 2, "unparsed_as_rejected": True, "rule": "random", **changes})


@given(st.lists(st.sampled_from(["correct", "wrong", "unparsed"]), max_size=12), st.booleans(), st.integers(1, 4))
def test_pairs_join_right_with_wrong_and_the_ledger_adds_up(verdicts: list[Verdict], unparsed: bool, most: int) -> None:
    rows = [solution(i, f"text {i}") for i in range(len(verdicts))]
    graded = dict(zip((row.id for row in rows), verdicts, strict=True))
    pairs, ledger = build_pairs(
        {"p": PROBLEM}, rows, [grade(r, v) for r, v in zip(rows, verdicts, strict=True)],
        section(per_problem=most, unparsed_as_rejected=unparsed), seed=0,
    )  # fmt: skip
    right = verdicts.count("correct")
    wrong = verdicts.count("wrong") + (verdicts.count("unparsed") if unparsed else 0)
    assert len(pairs) == min(right, wrong, most)
    assert ledger["pairs"] + ledger.get("pairs_not_taken", 0) == right * wrong
    used = [i for pair in pairs for i in (pair.chosen_id, pair.rejected_id)]
    assert len(used) == len(set(used))
    for pair in pairs:
        assert graded[pair.chosen_id] == "correct"
        assert graded[pair.rejected_id] in ("wrong", "unparsed")


def test_pairs_do_not_depend_on_the_order_of_the_samples() -> None:
    rows = [solution(i, f"text {i}") for i in range(6)]
    grades = [grade(row, "correct" if i % 2 else "wrong") for i, row in enumerate(rows)]
    first, _ = build_pairs({"p": PROBLEM}, rows, grades, section(), seed=1)
    second, _ = build_pairs({"p": PROBLEM}, rows[::-1], grades[::-1], section(), seed=1)
    assert first == second


def test_the_closest_edit_is_preferred_when_the_rule_says_so() -> None:
    rows = [solution(0, "3*12=36 #### 36"), solution(1, "3*12=35 #### 35"), solution(2, "something else")]
    grades = [grade(rows[0], "correct"), grade(rows[1], "wrong"), grade(rows[2], "wrong")]
    (pair,), _ = build_pairs({"p": PROBLEM}, rows, grades, section(per_problem=1, rule="shortest_edit"), seed=0)
    assert pair.rejected_id == "s1"


def test_a_solution_without_a_grade_is_refused() -> None:
    with pytest.raises(PairingError, match="s0 has no grade"):
        build_pairs({"p": PROBLEM}, [solution(0, "x")], [], section(), seed=0)


@pytest.mark.parametrize(
    ("candidate", "answer", "label", "lines"),
    [
        (PROBLEM.solution, "41", True,
         ["3*12=36, expected 3*12=36: match", "14+36=50, expected 14+36=50: match", "50-9=41, expected 50-9=41: match",
          "answer 41, expected 41: match"]),
        ("Bought: 3*12=34\nNow: 14+34=48\nLeft: 48-9=39\n#### 39", "39", False,
         ["3*12=34, expected 3*12=36: mismatch"]),
        ("(14+3*12)-9=41\n#### 41", "41", True,
         ["expected 3*12=36, 14+36=50, 50-9=41", "answer 41, expected 41: match"]),
        ("#### 40", "40", False, ["expected 3*12=36, 14+36=50, 50-9=41", "answer 40, expected 41: mismatch"]),
        ("I do not know", None, False, ["expected 3*12=36, 14+36=50, 50-9=41", "answer none, expected 41: mismatch"]),
        (PROBLEM.solution.replace("#### 41", "#### 14"), "14", False,
         ["3*12=36, expected 3*12=36: match", "14+36=50, expected 14+36=50: match", "50-9=41, expected 50-9=41: match",
          "answer 14, expected 41: mismatch"]),
    ],
)  # fmt: skip
def test_a_chain_names_the_first_wrong_step(candidate: str, answer: str | None, label: bool, lines: list[str]) -> None:
    assert write_chain(PROBLEM, candidate, answer, label) == "\n".join([*lines, VERDICT_LINE + (YES if label else NO)])


def test_traces_are_balanced_and_lead_back_to_the_graded_solutions() -> None:
    rows = [solution(i, f"{PROBLEM.solution} {i}") for i in range(9)]
    graded = [(row, grade(row, "correct" if i < 6 else "wrong")) for i, row in enumerate(rows)]
    traces, ledger = build_traces({"p": PROBLEM}, graded, [], Traces(per_problem=4, corrupted=0, limit=None), seed=0)
    assert sum(trace.label for trace in traces) == 2
    assert len(traces) == 4 == ledger["traces"]
    labels = {row.id: row_grade.verdict == "correct" for row, row_grade in graded}
    for trace in traces:
        assert labels[trace.solution_id] == trace.label
        assert trace.chain.endswith(YES if trace.label else NO)


def test_corrupted_references_are_negatives_that_say_so() -> None:
    traces, ledger = build_traces(
        {"p": PROBLEM}, [(solution(0, PROBLEM.solution), grade(solution(0, PROBLEM.solution), "correct"))], [],
        Traces(per_problem=2, corrupted=1, limit=None), seed=0,
    )  # fmt: skip
    assert {trace.label for trace in traces} == {True, False}
    assert any(trace.solution_id.startswith("corrupted-") for trace in traces)
    assert ledger["program_yes"] == ledger["program_no"] == 1
