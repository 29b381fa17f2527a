"""Worked examples: a stable draw of training demonstrations of the benchmark, and never a problem that is tested."""

from __future__ import annotations

import pytest

from proofline.config.schema import Prompts
from proofline.data.demonstrations import write_demonstrations
from proofline.data.examples import ExamplesError, draw_examples, shown_before
from proofline.data.listed import ListError, listed
from proofline.data.prompts import solution_messages
from proofline.data.synthetic import generate_problems
from proofline.records import Demonstration, Problem

TRAIN = list(generate_problems("train", 60, seed=0))
TEST = list(generate_problems("test", 20, seed=0))
DEMONSTRATIONS = write_demonstrations(TRAIN, 60, 0)


def test_the_draw_is_stable_nested_and_of_the_benchmark() -> None:
    four = draw_examples(DEMONSTRATIONS, TRAIN, TEST, 4, seed=0)
    assert set(four) == {("synthetic", "word"), ("synthetic", "math")}
    families = {problem.id: problem.family for problem in TRAIN}
    for (_, family), rows in four.items():
        assert len({row.id for row in rows}) == 4
        assert {families[row.problem_id] for row in rows} == {family}
    assert draw_examples(DEMONSTRATIONS[::-1], TRAIN[::-1], TEST[:3] + TEST[10:], 4, seed=0) == four
    two = draw_examples(DEMONSTRATIONS, TRAIN, TEST, 2, seed=0)
    assert two == {name: rows[:2] for name, rows in four.items()}
    assert draw_examples(DEMONSTRATIONS, TRAIN, TEST, 4, seed=1) != four
    assert not {row.problem_id for rows in four.values() for row in rows} & {problem.id for problem in TEST}
    assert shown_before(TEST[0], four) == four["synthetic", TEST[0].family]


@pytest.mark.parametrize("split", ["test", "dev"])
def test_no_problem_but_a_training_problem_is_shown(split: str) -> None:
    leaked = TRAIN[0].model_copy(update={"split": split})
    assert any(row.problem_id == leaked.id for row in DEMONSTRATIONS)
    with pytest.raises(ExamplesError, match=f"solves {leaked.id}, which is no training problem"):
        draw_examples(DEMONSTRATIONS, [leaked, *TRAIN[1:]], TEST, 1, seed=0)


def test_too_few_demonstrations_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ExamplesError, match=r"\d+ problems with a demonstration where evaluation.shots asks for 60"):
        draw_examples(DEMONSTRATIONS, TRAIN, TEST, 60, seed=0)


def test_examples_are_turns_before_the_problem() -> None:
    prompts = Prompts(solution="Solve: {question}", verification="{question} {candidate}")
    shown = Demonstration(id="d", problem_id="p", question="{question} 1+1?", solution="#### 2", style="worked")
    assert solution_messages("2+2?", prompts, [shown]) == [
        {"role": "user", "content": "Solve: {question} 1+1?"},
        {"role": "assistant", "content": "#### 2"},
        {"role": "user", "content": "Solve: 2+2?"},
    ]


def test_a_list_without_its_problems_is_refused() -> None:
    other = [Problem.model_validate({**problem.model_dump(), "source": "math"}) for problem in TEST]
    with pytest.raises(ListError, match=r"500 of the 500 problems of math-500 are not among the 20 .* e\.g\. \w+/\d+"):
        listed("math-500", other)
