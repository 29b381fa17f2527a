"""SVAMP, which the project does not know by name, brought by the recipe of docs/your-problems.md as any user would."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED, REPOSITORY
from ruamel.yaml import YAML

from proofline.config.load import parse_params, read_yaml
from proofline.data.curation import curate
from proofline.data.own import Brought, load_own
from proofline.grading import grade_text
from proofline.storage.tables import located

PAGE = (REPOSITORY / "docs/your-problems.md").read_text(encoding="utf-8")
DESCRIBED = YAML(typ="safe").load(re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1])["prepare"]


@pytest.fixture(scope="module")
def root(published_data: str | None) -> str:
    root = published_data or str(Path(__file__).parents[3] / "shared" / "data")
    if "://" not in root and not Path(root, "svamp_train.jsonl.gz").is_file():
        pytest.skip(f"no svamp_train.jsonl.gz in {root}; set PROOFLINE_DATA_ROOT to the folder that holds it")
    return root


def section() -> Any:
    values: Any = read_yaml(EMBEDDED)
    values["prepare"] |= DESCRIBED
    return parse_params(values).prepare


@pytest.fixture(scope="module")
def svamp(root: str) -> Brought:
    return load_own("svamp", section().own["svamp"], partial(located, root))


def test_every_row_is_a_problem_and_its_equation_a_demonstration(svamp: Brought) -> None:
    """Of the training rows three state an equation that does not hold (`0.3333 / 2 = 0.165`): they are not taught."""
    assert Counter(problem.split for problem in svamp.problems) == {"train": 3131, "test": 1000}
    train = {problem.id for problem in svamp.problems if problem.split == "train"}
    texts = {key: text for key, text in svamp.demonstrations.items() if key in train}
    assert sum(text is None for text in texts.values()) == 3
    assert all(svamp.demonstrations[problem.id] is None for problem in svamp.problems if problem.split == "test")
    answers = {problem.id: problem.answer for problem in reversed(svamp.problems)}
    some = [(key, text) for key, text in texts.items() if text is not None and answers[key]][::20]
    for key, text in some:
        judged = grade_text(text, answers[key])
        assert judged.verdict == judged.second_verdict == "correct", text


def test_questions_with_two_answers_lose_them(svamp: Brought) -> None:
    """Ten rows of five questions, such as one whose answer is 3.333 here and 3.3333 there."""
    without = [problem for problem in svamp.problems if not problem.answer]
    assert len(without) == 10
    assert len({problem.question.casefold() for problem in without}) == 5


def test_curation_finds_the_kin_of_its_stories_and_none_by_the_template(svamp: Brought) -> None:
    """Of a part, for time. Most of MAWPS comes in families of stories that differ by numbers and names."""
    parts = {split: [row for row in svamp.problems if row.split == split][:600] for split in ("train", "test")}
    curated = curate([*parts["train"], *parts["test"]], section())
    assert len(curated.splits["test"]) == 600
    reasons = {reason for _, split, reason in curated.dropped if split == "train"}
    assert reasons >= {"duplicate", "near_duplicate_in_test"}
    assert not any("solution" in reason for reason in reasons)
    assert len(curated.splits["train"]) + len(curated.splits["dev"]) > 400
