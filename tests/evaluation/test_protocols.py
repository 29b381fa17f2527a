"""The protocol matrix: bounds, parts, and what is a gain in form and what in ability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import EXAMPLE, Invented, composed, evaluation_section, problem

from proofline.config.schema import Base
from proofline.evaluation.protocols import protocol_changes, protocol_matrix
from proofline.evaluation.published import PUBLISHED, published_for
from proofline.evaluation.readings import READERS
from proofline.evaluation.results import results_markdown
from proofline.evaluation.study import Study
from proofline.evaluation.study_metrics import protocol_metrics
from proofline.evaluation.tally import EvaluationError
from proofline.records import Problem, Readings

SECTION = evaluation_section(8)
PROBLEMS = [
    problem(i, "math", "math").model_copy(update={"level": 1 + i % 3, "subject": ("Algebra", "Geometry")[i % 2]})
    for i in range(24)
]


def row(one: Problem, strict: bool, equal: bool, finished: bool = True, shots: int = 0) -> Readings:
    return Readings(
        solution_id=f"{one.id}-{shots}", problem_id=one.id, shots=shots, finished=finished, strict_answer=None,
        strict=strict, flexible_answer=None, flexible=equal, equivalence=equal,
    )  # fmt: skip


def cells(matrix: Any) -> list[dict[str, Any]]:
    if not isinstance(matrix, dict):
        return []
    return ([matrix] if "strict" in matrix else []) + [cell for part in matrix.values() for cell in cells(part)]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=24, max_size=24))
def test_the_bounds_hold_the_share_and_both_extremes(outcomes: list[tuple[bool, bool, bool]]) -> None:
    rows = [row(one, s and e, e, done) for one, (s, e, done) in zip(PROBLEMS, outcomes, strict=True)]
    found = cells(protocol_matrix(PROBLEMS, rows, SECTION, 0))
    assert len(found) == 1 + 1 + 3 + 2, "overall, the benchmark, its levels and its subjects"
    for cell in found:
        for reader in READERS:
            one = cell[reader]
            assert one["least"] <= one["value"] <= one["most"]
            assert one["most"] - one["least"] == pytest.approx(cell["cut_off"]), "as far apart as they are many"
    for extreme, name in ((False, "least"), (True, "most")):
        decided = [one if one.finished else one.model_copy(update={"equivalence": extreme}) for one in rows]
        (again,) = (
            m["overall"]["equivalence"]["value"] for m in protocol_matrix(PROBLEMS, decided, SECTION, 0).values()
        )
        assert found[0]["equivalence"][name] == pytest.approx(again)


def test_levels_and_subjects_part_the_benchmark() -> None:
    rows = [row(one, False, one.level == 1) for one in PROBLEMS]
    matrix = protocol_matrix(PROBLEMS, rows, SECTION, 0)["0"]["benchmarks"]["math/math"]
    assert {name: cell["equivalence"]["value"] for name, cell in matrix["levels"].items()} == {"1": 1, "2": 0, "3": 0}
    assert {name: cell["problems"] for name, cell in matrix["subjects"].items()} == {"Algebra": 12, "Geometry": 12}


def test_a_gain_in_form_is_told_from_a_gain_in_ability() -> None:
    """The first learns to write the form and solves nothing new; the second solves more, in the form it had."""
    before = [row(one, False, i < 12) for i, one in enumerate(PROBLEMS)]
    formed = [row(one, i < 12, i < 12) for i, one in enumerate(PROBLEMS)]
    abler = [row(one, i < 18, i < 18) for i, one in enumerate(PROBLEMS)]

    def gains(rows: list[Readings], old: list[Readings]) -> list[float]:
        changes = protocol_changes(PROBLEMS, rows, old, SECTION, 0)["0"]
        return [changes[name]["difference"]["value"] for name in ("strict", "equivalence", "form")]

    assert gains(formed, before) == pytest.approx([0.5, 0, 0.5])
    assert gains(abler, formed) == pytest.approx([0.25, 0.25, 0])


def test_a_number_of_examples_without_some_problem_is_refused() -> None:
    rows = [row(one, True, True) for one in PROBLEMS]
    with pytest.raises(EvaluationError, match="23 problems are read with 4 examples, 24 are evaluated"):
        protocol_matrix(PROBLEMS, [*rows, *(row(one, True, True, shots=4) for one in PROBLEMS[1:])], SECTION, 0)


@pytest.fixture(scope="module")
def composed_study(study: Invented) -> Study:
    return composed(study)


def test_the_report_has_the_matrix(composed_study: Study) -> None:
    """Equivalence with the plain prompt is the accuracy that stands everywhere else."""
    text, metrics = results_markdown(composed_study), protocol_metrics(composed_study)
    for policy, matrix in metrics["policies"].items():
        accuracy = composed_study.part(policy)["greedy_accuracy"]
        assert {name: matrix["0"]["overall"]["equivalence"][name] for name in accuracy} == accuracy
        assert matrix.keys() == {"0", "4"}
    for change in composed_study.changes:
        equal = change.protocols["0"]["equivalence"]["difference"]["value"]
        assert equal == pytest.approx(change.greedy["overall"].difference.value)
    section = text.split("## Protocols")[1].split("## Samples")[0]
    assert "| +SFT+DPO, 4-shot | " in section
    assert "{" in section, "invented solutions without an answer are cut off"
    assert "| base → +SFT, 0-shot | " in section
    assert np.isfinite(metrics["policies"]["base"]["4"]["overall"]["strict"]["value"])


def test_published_numbers_stand_beside_the_policy_they_are_of(composed_study: Study) -> None:
    recipe = {"source": "hub", "model": "Qwen/Qwen2.5-0.5B-Instruct", "revision": "0"}
    base = Base.model_construct(**recipe)
    assert published_for(base) == PUBLISHED
    assert published_for(Base.model_construct(**{**recipe, "source": "bundled"})) == ()
    text = results_markdown(composed_study, PUBLISHED)
    assert "| GSM8K | 49.6 | 4 | not published | not published | Qwen2.5 technical report" in text
    assert "published beside measured" not in results_markdown(composed_study)
    assert EXAMPLE.id not in text
