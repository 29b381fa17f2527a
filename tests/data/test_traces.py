"""Traces: which chains are kept, that each has its counterpart, and what the ledger says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from math import isnan
from random import Random

import pytest
from graded_rows import PROBLEM, grade, solution, traced
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.config.schema import Traces
from proofline.data.candidates import length_drift, right_solutions, written_candidates
from proofline.data.demonstrations import write_demonstrations
from proofline.data.equations import corrupt
from proofline.data.graded import Candidate, by_problem
from proofline.data.layout import by_layout, independence
from proofline.data.leaks import leak
from proofline.data.prompts import NO, VERDICT_LINE, YES
from proofline.data.synthetic import generate, write_solution
from proofline.data.traces import Asked, TraceError, program, published
from proofline.grading import grade_all
from proofline.records import Critique, Demonstration, Grade, Problem, Verdict, VerificationTrace

RIGHT, WRONG = PROBLEM.solution, "Bought: 3*12=34\nNow: 14+34=48\nLeft: 48-9=39\n#### 39"
COMPACT, COMPACT_WRONG = "(14+3*12)-9=41\n#### 41", "(14+3*12)-9=43\n#### 43"
WRITING = {"attempts": 2, "temperature": 0.7, "top_p": 1.0, "max_new_tokens": 64, "teacher": "t"}


def section(**changes: object) -> Traces:
    base = {"sources": ["program"], "per_problem": 4, "corrupted": 0, "limit": None, "writing": WRITING}
    return Traces.model_validate(base | changes)


def candidate(index: int, text: str, verdict: Verdict, policy: str = "sft") -> Candidate:
    row = solution(index, text, policy=policy)
    return Candidate(row, grade(row, verdict))


def test_a_candidate_and_its_counterpart_become_traces() -> None:
    rows = [candidate(0, RIGHT, "correct"), candidate(1, WRONG, "wrong"), candidate(2, COMPACT, "correct")]
    traces, ledger = traced({"p": PROBLEM}, rows, {"program": program}, section())
    assert {(trace.solution_id, trace.label) for trace in traces} == {("s0", True), ("s1", False)}
    assert ledger["chains"] == {"program": {"kept": 3}}
    assert ledger["dropped_without_counterpart"] == 1, "a right compact solution alone would give its layout away"
    for trace in traces:
        assert trace.chain.endswith(f"{VERDICT_LINE}{YES if trace.label else NO}")
        assert trace.candidate_from.grade.solution_id == trace.solution_id
        assert (trace.candidate_from.weights, trace.candidate_from.seed) == ("w", int(trace.solution_id[1:]))


def test_both_layouts_with_counterparts_are_kept() -> None:
    rows = [candidate(0, RIGHT, "correct"), candidate(1, WRONG, "wrong"), candidate(2, COMPACT, "correct"),
            candidate(3, COMPACT_WRONG, "wrong")]  # fmt: skip
    traces, ledger = traced({"p": PROBLEM}, rows, {"program": program}, section())
    assert len(traces) == 4
    assert list(ledger["layouts"].values()) == [{"yes": 1, "no": 1}] * 2
    limited, ledger = traced({"p": PROBLEM}, rows, {"program": program}, section(limit=2))
    assert (len(limited), ledger["dropped_over_limit"]) == (2, 2)
    few, _ = traced({"p": PROBLEM}, rows, {"program": program}, section(per_problem=2))
    assert Counter(trace.label for trace in few) == {True: 1, False: 1}


@pytest.mark.parametrize(
    ("question", "text", "verdict"),
    [
        ("The train leaves at 5. When?", r"5*1=5" + "\n" + r"\boxed{5:00}", "unparsed"),
        ("3 bags of 12. How many?", "3*12=36\n#### 3 dozen", "unparsed"),
    ],
)
def test_what_nobody_could_grade_becomes_no_trace_of_either_label(question: str, text: str, verdict: Verdict) -> None:
    rows = [candidate(0, text, verdict), candidate(1, RIGHT, "correct"), candidate(2, WRONG, "wrong")]
    traces, ledger = traced({"p": PROBLEM}, rows, {"program": program}, section())
    assert {trace.solution_id for trace in traces} == {"s1", "s2"}
    assert ledger["dropped_without_label"] == 1
    assert [row.solution for row in right_solutions(by_problem([PROBLEM], rows))] == [RIGHT]


def test_a_chain_that_contradicts_the_grade_is_dropped_whatever_the_label() -> None:
    """A wrong plan in right arithmetic, and a right answer by a slip that cancels."""
    plausible = "Bought: 3*12=36\nNow: 36+14=50\nLeft: 50+9=59\n#### 59"
    lucky = "Bought: 3*12=35\nNow: 14+35=50\nLeft: 50-9=41\n#### 41"
    rows = [candidate(0, plausible, "wrong"), candidate(1, lucky, "correct"), candidate(2, RIGHT, "correct"),
            candidate(3, WRONG, "wrong")]  # fmt: skip
    traces, ledger = traced({"p": PROBLEM}, rows, {"program": program}, section())
    assert ledger["chains"]["program"] == {"dropped_against_grade": 2, "kept": 2}
    assert {trace.solution_id for trace in traces} == {"s2", "s3"}


def test_no_couple_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TraceError, match=r"set traces\.corrupted to 1"):
        traced({"p": PROBLEM}, [candidate(0, RIGHT, "correct")], {"program": program}, section())
    assert traced({}, [], {"program": program}, section())[0] == []


def test_writers_see_question_and_candidate_and_the_first_good_attempt_is_kept() -> None:
    seen: list[Asked] = []

    def teacher(asked: Sequence[Asked]) -> list[list[str]]:
        seen.extend(asked)
        wrong = "The first step is wrong. "
        return [
            [
                "No verdict at all.",
                f"All fine.\n{VERDICT_LINE}{NO if row.candidate == RIGHT else YES}",
                f"The expected answer differs.\n{VERDICT_LINE}{YES if row.candidate == RIGHT else NO}",
                f"It should be 41.\n{VERDICT_LINE}{YES if row.candidate == RIGHT else NO}" * (row.candidate != RIGHT),
                f"**{'' if row.candidate == RIGHT else wrong}Checked.**\n**Verification: Is the answer correct? "
                f"{'Yes' if row.candidate == RIGHT else 'No'}**",
            ]
            for row in asked
        ]

    rows = [candidate(0, RIGHT, "correct"), candidate(1, WRONG, "wrong")]
    writers = {"program": program, "endpoint": teacher}
    traces, ledger = traced({"p": PROBLEM}, rows, writers, section())
    assert seen == [Asked("s0", PROBLEM.question, RIGHT), Asked("s1", PROBLEM.question, WRONG)]
    assert ledger["chains"]["endpoint"] == {"kept": 2}
    assert ledger["by_origin"] == {"program": 2, "endpoint": 2}
    written = {trace.solution_id: trace.chain for trace in traces if trace.origin == "endpoint"}
    assert written == {
        "s0": f"**Checked.**\n{VERDICT_LINE}{YES}",
        "s1": f"**The first step is wrong. Checked.**\n{VERDICT_LINE}{NO}",
    }


@pytest.mark.parametrize(
    ("chain", "fate"),
    [
        ("Nothing.", "dropped_no_verdict"),
        (f"{VERDICT_LINE}{NO}", "dropped_no_verdict"),
        (f"Fine.\n{VERDICT_LINE}{YES}", "dropped_against_grade"),
        (f"Not as expected.\n{VERDICT_LINE}{NO}", "dropped_leak_expected"),
        (f"Should be 36.\n{VERDICT_LINE}{NO}", "dropped_leak_reference_number"),
    ],
)
def test_what_is_dropped_is_counted_by_class(chain: str, fate: str) -> None:
    rows = [candidate(0, RIGHT, "correct"), candidate(1, WRONG, "wrong")]
    writers = {"program": program, "published": published({"s1": critique("s1", chain)})}
    _, ledger = traced({"p": PROBLEM}, rows, writers, section())
    assert ledger["chains"]["published"] == {"no_chain": 1, fate: 1}


def critique(solution_id: str, chain: str) -> Critique:
    return Critique(id=f"c-{solution_id}", problem_id="p", solution_id=solution_id, chain=chain)


def generated(count: int, seed: int) -> tuple[dict[str, Problem], list[Candidate]]:
    """Problems with what policies write: right and wrong, worked and compact, more worked right, more compact wrong."""
    rng, problems, rows = Random(seed), {}, []
    for problem, derived in islice(generate("train", seed), count):
        problems[problem.id] = problem
        for style, wrong in (("worked", 0.2), ("worked", 0.4), ("compact", 0.95), ("compact", 0.8)):
            text = write_solution(derived, style)
            spoilt = corrupt(text, problem.question, rng) if rng.random() < wrong else None
            rows.append(solution(len(rows), spoilt or text, problem_id=problem.id))
    return problems, [Candidate(row, g) for row, g in zip(rows, grade_all(rows, problems, workers=1), strict=True)]


@pytest.fixture(scope="module")
def many() -> tuple[dict[str, Problem], list[Candidate], list[VerificationTrace], dict]:
    problems, candidates = generated(250, seed=3)
    demonstrations = write_demonstrations(list(problems.values()), 250, seed=3)
    written = list(written_candidates(problems, demonstrations, 1, seed=3))
    grades = grade_all(written, problems, workers=1)
    candidates += [Candidate(row, g) for row, g in zip(written, grades, strict=True)]
    return problems, candidates, *traced(problems, candidates, {"program": program}, section())


def test_labels_are_balanced_within_layout_and_within_problem(many: tuple) -> None:
    _, _, traces, ledger = many
    assert len(traces) > 200
    for key in ("problem_id", "layout", "origin"):
        labels: dict[str, Counter[bool]] = defaultdict(Counter)
        for trace in traces:
            labels[getattr(trace, key)][trace.label] += 1
        assert all(count[True] == count[False] for count in labels.values()), key
    of_candidates, of_traces = (ledger["label_by_layout"][name] for name in ("of_candidates", "of_traces"))
    assert of_candidates["p_value"] < 0.01 < 0.99 < of_traces["p_value"]
    assert of_candidates["cramers_v"] > 0.2 > of_traces["cramers_v"] == 0
    assert sum(cell["yes"] + cell["no"] for cell in ledger["layouts"].values()) == ledger["traces"] == len(traces)


def test_every_candidate_is_accounted_for(many: tuple) -> None:
    _, candidates, traces, ledger = many
    assert ledger["candidates"] == len(candidates)
    fates = ledger["chains"]["program"]
    assert sum(fates.values()) == len(candidates) - ledger["dropped_same_text"] - ledger["dropped_without_label"]
    assert fates["kept"] == len(traces) + ledger["dropped_without_counterpart"] + ledger["dropped_over_limit"]
    assert sum(ledger["by_candidate"].values()) == len(traces)


def test_no_kept_chain_tells_anything_of_the_reference(many: tuple) -> None:
    problems, _, traces, _ = many
    for trace in traces:
        problem = problems[trace.problem_id]
        assert leak(trace.chain, trace.question, trace.candidate, problem.solution) is None


def test_the_form_of_a_chain_does_not_know_the_label(many: tuple) -> None:
    """The chain of a candidate is the same whatever the reference is: another one drops chains and changes none."""
    problems, candidates, traces, _ = many
    other = {i: p.model_copy(update={"solution": "1+1=2\n#### 2", "answer": "2"}) for i, p in problems.items()}
    again, _ = traced(other, candidates, {"program": program}, section())
    chains = {trace.id: trace.chain for trace in traces}
    shared = [trace for trace in again if trace.id in chains]
    assert len(shared) > 0.9 * len(traces)
    assert all(chains[trace.id] == trace.chain for trace in shared)


def test_traces_do_not_depend_on_the_order_of_the_candidates(many: tuple) -> None:
    problems, candidates, traces, _ = many
    distinct = {(row.solution.problem_id, row.solution.text): row for row in candidates[::-1]}
    moved, _ = traced(problems, distinct.values(), {"program": program}, section())
    assert [row.model_dump_json() for row in moved] == [row.model_dump_json() for row in traces]


TWO_THINGS = Problem(
    id="b", source="gsm8k", family="word", split="train", skeleton="s", answer="5",
    question="There are 5 shelves of 8 books, and 3 cats meet 2 more. How many cats are there?",
    solution="Books: 5*8=40\nCats: 3+2=5\nSo 40 books and 5 cats.\n#### 5",
)  # fmt: skip


@pytest.mark.parametrize("policy", ["corrupted", "sft"])
def test_corrupted_copies_are_graded_like_every_candidate(policy: str) -> None:
    """A copy that is right all the same (MR-GSM8K#1) is never a No, whoever wrote it."""
    problems = {"b": TWO_THINGS, "p": PROBLEM}
    slipped = TWO_THINGS.solution.replace("40", "41")
    demonstration = Demonstration(
        id="d", problem_id="b", question=TWO_THINGS.question, solution=TWO_THINGS.solution, style="reference"
    )
    rows = list(written_candidates(problems, [demonstration], 60, seed=0))
    rows += [solution(0, RIGHT), solution(1, WRONG), solution(2, slipped, problem_id="b", policy=policy)]
    grades = grade_all(rows, problems, workers=1)
    made = [grade.verdict for row, grade in zip(rows, grades, strict=True) if row.policy == "corrupted"]
    assert len(made) > 5
    assert set(made[: len(made) - (policy == "corrupted")]) == {"wrong"}
    candidates = [Candidate(row, grade) for row, grade in zip(rows, grades, strict=True)]
    traces, ledger = traced(problems, candidates, {"program": program}, section(per_problem=100))
    assert "s2" not in {trace.solution_id for trace in traces}
    assert ledger["chains"]["program"]["dropped_against_grade"] >= 1
    assert all(trace.label == (trace.candidate_from.grade.verdict == "correct") for trace in traces)


def test_no_copies_no_demonstrations() -> None:
    assert list(written_candidates({"p": PROBLEM}, [], 1, seed=0)) == []
    demonstration = Demonstration(id="d", problem_id="p", question="q", solution=RIGHT, style="reference")
    assert list(written_candidates({"p": PROBLEM}, [demonstration], 0, seed=0)) == []
    policies = Counter(row.policy for row in written_candidates({"p": PROBLEM}, [demonstration], 2, seed=0))
    assert policies["demonstration"] == 1 <= policies["corrupted"] <= 2


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40))
def test_independence_is_a_test(rows: list[tuple[str, bool]]) -> None:
    found = independence(rows, seed=0)
    table = by_layout(rows)
    assert sum(cell["yes"] for cell in table.values()) == sum(label for _, label in rows)
    if len(table) < 2 or len({label for _, label in rows}) < 2:
        assert isnan(found["p_value"])
    else:
        assert 0 < found["p_value"] <= 1
        assert 0 <= found["cramers_v"] <= 1 + 1e-9


def test_independence_agrees_with_the_chi_square_distribution() -> None:
    from scipy.stats import chi2_contingency

    rng = Random(0)
    rows = [(rng.choice("abcd"), rng.random() < 0.5) for _ in range(400)]
    table = by_layout(rows)
    expected = chi2_contingency([[cell["yes"], cell["no"]] for cell in table.values()], correction=False)
    found = independence(rows, seed=0)
    assert found["p_value"] == pytest.approx(expected.pvalue, abs=0.06)
    assert found["cramers_v"] == pytest.approx((expected.statistic / 400) ** 0.5)


def test_length_drift_is_a_ratio_of_mean_tokens() -> None:
    assert length_drift([solution(0, "a", tokens=20)], [solution(1, "a", tokens=30)]) == 1.5
    assert isnan(length_drift([], [solution(1, "a", tokens=30)]))


def test_a_grade_is_a_label_in_one_place_only() -> None:
    from proofline.data.verdicts import known_label

    labels = {verdict: known_label(_grade(verdict)) for verdict in ("correct", "wrong", "unparsed")}
    assert labels == {"correct": True, "wrong": False, "unparsed": None}


def _grade(verdict: str) -> Grade:
    return Grade(solution_id="s", problem_id="p", verdict=verdict, extracted=None, reason="", grader="test")
