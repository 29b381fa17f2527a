"""What a row decides: every text, verdict and seed, and none of the numbers that rounding changes."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.certificate.compare import Class, compare_rows, compare_values
from proofline.certificate.decisions import Rows, is_derived, kind_of, measured_fields, summarise
from proofline.certificate.manifest import describe, json_md5
from proofline.records import (
    Decoding,
    Demonstration,
    Grade,
    Judgement,
    Origin,
    PreferencePair,
    Problem,
    Record,
    Solution,
    Verification,
    VerificationTrace,
)
from proofline.storage.artifacts import write_json

SOLUTION = Solution(
    id="a1", problem_id="synthetic-1", policy="sft", weights="0011", sample_index=0, seed=7, text="so 4", num_tokens=3,
    decoding=Decoding(temperature=0.7, top_p=1.0, max_new_tokens=9), logprob=-12.25, finished=True,
)  # fmt: skip
VERIFICATION = Verification(
    solution_id="a1", problem_id="synthetic-1", label="correct", p_yes=0.75, p_yes_per_chain=(0.5, 1.0, math.nan),
    chains=("x", "y", "z"), tokens_per_chain=(3, 4, 5),
)  # fmt: skip


def rows(*records: Record) -> Rows:
    return summarise(record.model_dump_json() for record in records)


def test_every_record_is_recognised_by_its_fields_alone() -> None:
    kinds = [Problem, Demonstration, Solution, Grade, PreferencePair, VerificationTrace, Verification, Judgement]
    assert [kind_of(dict.fromkeys(kind.model_fields)) for kind in kinds] == kinds
    assert kind_of({"id": 1}) is None


def test_which_fields_are_which() -> None:
    assert measured_fields(Solution) == ("logprob",)
    assert measured_fields(Verification) == ("p_yes", "p_yes_per_chain")
    derived = {kind: [name for name in kind.model_fields if is_derived(name)] for kind in Record.__subclasses__()}
    assert derived[Solution] == ["id", "weights"]
    assert derived[PreferencePair] == ["id", "chosen_id", "rejected_id"]
    assert derived[VerificationTrace] == ["id", "solution_id"]
    assert derived[Judgement] == []


@pytest.mark.parametrize(
    ("changed", "known"),
    [({"weights": "ffff"}, Class.SAME), ({"seed": 9}, Class.DIFFERENT), ({"num_tokens": 4}, Class.DIFFERENT)],
)
def test_a_row_within_a_row_is_read_alike(changed: dict[str, Any], known: Class) -> None:
    def trace(solution: Solution) -> VerificationTrace:
        grade = Grade(
            solution_id=solution.id, problem_id=solution.problem_id, verdict="correct", extracted="4", reason="",
            grader="x",
        )  # fmt: skip
        return VerificationTrace(
            id="t" + solution.id, problem_id=solution.problem_id, solution_id=solution.id, question="2+2?",
            candidate=solution.text, candidate_from=Origin.of(solution, grade), chain="2+2=4", label=True,
            origin="program", layout="1 step",
        )  # fmt: skip

    other = SOLUTION.model_copy(update={"id": "b2", **changed})
    assert compare_rows(rows(trace(SOLUTION)), rows(trace(other))).known is known


@pytest.mark.parametrize("changed", [{"id": "b2"}, {"weights": "ffff"}, {"logprob": -12.250001}])
def test_what_rounding_changes_decides_nothing(changed: dict[str, Any]) -> None:
    assert compare_rows(rows(SOLUTION), rows(SOLUTION.model_copy(update=changed))).known is Class.SAME


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "so 5"}, {"seed": 8}, {"finished": False}, {"problem_id": "synthetic-2"}, {"policy": "dpo"},
        {"num_tokens": 4}, {"sample_index": 1}, {"logprob": -12.3}, {"logprob": math.nan},
        {"decoding": Decoding(temperature=0.71, top_p=1.0, max_new_tokens=9)},
    ],
)  # fmt: skip
def test_everything_else_does(changed: dict[str, Any]) -> None:
    assert compare_rows(rows(SOLUTION), rows(SOLUTION.model_copy(update=changed))).known is Class.DIFFERENT


def test_chains_without_a_verdict_are_decisions() -> None:
    assert rows(VERIFICATION).measured.keys() == {"p_yes", "p_yes_per_chain"}
    for chains in ((0.5, math.nan, 1.0), (0.5, 1.0), (0.5, 1.0, 0.0)):
        other = VERIFICATION.model_copy(update={"p_yes_per_chain": chains})
        assert compare_rows(rows(VERIFICATION), rows(other)).known is Class.DIFFERENT
    near = VERIFICATION.model_copy(update={"p_yes_per_chain": (0.5000004, 1.0, math.nan)})
    assert compare_rows(rows(VERIFICATION), rows(near)).known is Class.SAME


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True), st.randoms())
def test_a_changed_order_a_lost_and_an_added_row_are_seen(texts: list[str], chance: random.Random) -> None:
    records = [SOLUTION.model_copy(update={"text": text}) for text in texts]
    shuffled = records[1:] + records[:1]
    assert compare_rows(rows(*records), rows(*records)).known is Class.SAME
    assert compare_rows(rows(*records), rows(*shuffled)).known is Class.DIFFERENT
    assert compare_rows(rows(*records), rows(*records[:-1])).known is Class.DIFFERENT
    assert compare_rows(rows(*records), rows(*records, chance.choice(records))).known is Class.DIFFERENT


def test_rows_of_another_make_are_decisions_as_a_whole() -> None:
    one, other = (summarise([json.dumps({"id": "x", "share": share})]) for share in (0.5, 0.50000001))
    assert one.kind is None
    assert compare_rows(one, other).known is Class.DIFFERENT
    assert compare_rows(rows(SOLUTION), one).excusable is False


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values)
def test_values_give_back_the_bytes_that_were_written(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("json") / "metrics.json"
    write_json(file, value)
    entry = describe(file, "reports/metrics.json")
    assert entry.md5 == json_md5(value)
    assert entry.values == value


def test_values_are_compared_leaf_by_leaf() -> None:
    one = {"weights": "a", "overall": {"share": 0.5, "problems": 60, "curve": [0.1, None]}}
    assert compare_values(one, one | {"weights": "b"}).known is Class.SAME
    near = {"weights": "a", "overall": {"share": 0.50001, "problems": 60, "curve": [0.1, None]}}
    assert compare_values(one, near).known is Class.SAME
    for overall in ({"share": 0.51}, {"problems": 61}, {"curve": [0.1]}, {"curve": [0.1, 0.0]}, {"more": 1}):
        assert compare_values(one, {"weights": "a", "overall": one["overall"] | overall}).known is Class.DIFFERENT


def test_a_file_that_is_not_json_is_its_bytes(tmp_path: Path) -> None:
    for name in ("broken.json", "broken.jsonl"):
        (tmp_path / name).write_text("{no")
        entry = describe(tmp_path / name, name)
        assert (entry.rows, entry.values) == (None, None)
