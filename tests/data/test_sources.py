"""Rows of published data sets become problems; what is wrong with a row or a folder is said with the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from proofline.config.schema import Prepare
from proofline.data import sources
from proofline.data.published import BENCHMARKS, MATH_SUBJECTS, SourceError, gsm8k_problem, math_problem
from proofline.storage.tables import TableError, read_table

GSM8K_ROW = {
    "question": " Weng earns $12 an hour for 50 minutes. How much? ",
    "answer": "Weng earns 12/60 = $<<12/60=0.2>>0.2 a minute.\nIn all $<<0.2*50=10>>10.\n#### 1,010",
}
MATH_ROW = {
    "problem": "Solve $x+1=2$, then divide by two.",
    "level": "Level 3",
    "type": "Algebra",
    "solution": r"From \boxed{x = 1} we get $\boxed{\frac{1}{2}}$.",
}

MakeSection = Callable[..., Prepare]


@pytest.fixture
def make_section() -> MakeSection:
    def make(**changes: Any) -> Prepare:
        published = {"origin": "folder", "revision": "0" * 40, "train": None, "test": None, "test_list": None}
        values = {
            "sources": ["gsm8k"], "synthetic": {"train": 20, "dev": 6, "test": 6}, "gsm8k": published,
            "math": published, "own": {}, "dev_fraction": 0.1, "ngram": 13, "demonstrations": 100,
            "published_candidates": False,
        }  # fmt: skip
        return Prepare.model_validate(values | changes)

    return make


def write_table(folder: Path, name: str, *rows: dict[str, object]) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_gsm8k_loses_its_calculator_annotations() -> None:
    problem = gsm8k_problem(("f:1", GSM8K_ROW), "train")
    assert problem.solution == "Weng earns 12/60 = $0.2 a minute.\nIn all $10.\n#### 1010"
    assert (problem.answer, problem.family, problem.level) == ("1010", "word", 0)
    assert problem.question == "Weng earns $12 an hour for 50 minutes. How much?"
    assert problem.id == problem.make_id("gsm8k", problem.question)


def test_math_answers_are_the_last_box() -> None:
    problem = math_problem(("f:1", MATH_ROW), "test")
    assert (problem.answer, problem.family, problem.level) == (r"\frac{1}{2}", "math", 3)
    assert problem.solution == MATH_ROW["solution"]
    assert math_problem(("f:1", MATH_ROW | {"level": "Level ?"}), "test").level == 0
    assert math_problem(("f:1", MATH_ROW | {"solution": r"so \boxed{}."}), "test").answer == ""


@pytest.mark.parametrize("change", [{"question": None}, {"question": 7}, {"question": " "}])
def test_a_bad_field_is_named_with_its_line(change: dict[str, object]) -> None:
    row = {name: value for name, value in (GSM8K_ROW | change).items() if value is not None}
    with pytest.raises(SourceError, match=r"shelf/gsm8k_train.jsonl:7: question: found .*; text is expected"):
        gsm8k_problem(("shelf/gsm8k_train.jsonl:7", row), "train")


def test_sources_come_one_after_the_other(tmp_path: Path, make_section: MakeSection) -> None:
    for split in ("train", "test"):
        write_table(tmp_path, f"gsm8k_{split}", GSM8K_ROW)
        write_table(tmp_path, f"math_{split}", MATH_ROW, MATH_ROW)
    section = make_section(sources=["synthetic", "gsm8k", "math"])
    problems = list(sources.load_problems(section, 0, partial(read_table, str(tmp_path))))
    assert [problem.source for problem in problems] == ["synthetic"] * 32 + ["gsm8k"] * 2 + ["math"] * 4
    assert [problem.split for problem in problems[32:]] == ["train", "test", "train", "train", "test", "test"]


def test_a_missing_file_and_an_empty_one_are_errors(tmp_path: Path, make_section: MakeSection) -> None:
    write_table(tmp_path, "gsm8k_train", GSM8K_ROW)
    with pytest.raises(TableError, match="gsm8k_test"):
        list(sources.load_problems(make_section(), 0, partial(read_table, str(tmp_path))))
    write_table(tmp_path, "gsm8k_test")
    with pytest.raises(SourceError, match="test split has no rows"):
        list(sources.load_problems(make_section(), 0, partial(read_table, str(tmp_path))))


def hub_repository(root: Path, configs: dict[str, dict[str, str]]) -> Path:
    """A folder laid out like a hub data set: a card that names the configurations, and one file per split."""
    lines = ["---", "configs:"]
    for config, row in configs.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in ("train", "test"):
            (root / config).mkdir(parents=True, exist_ok=True)
            (root / config / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
            lines += [f"  - split: {split}", f"    path: {config}/{split}.jsonl"]
    (root / "README.md").write_text("\n".join([*lines, "---", ""]))
    return root


def test_hub_data_sets_give_the_same_problems_as_files(
    tmp_path: Path, make_section: MakeSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    rows = {"gsm8k": {"main": GSM8K_ROW}, "math": {
        subject: MATH_ROW | {"problem": f"{subject}: what is $1+1$?"} for subject in MATH_SUBJECTS
    }}  # fmt: skip
    for source, configs in rows.items():
        folder = hub_repository(tmp_path / source, configs)
        monkeypatch.setitem(BENCHMARKS, source, replace(BENCHMARKS[source], repository=str(folder)))
        for split in ("train", "test"):
            write_table(tmp_path, f"{source}_{split}", *configs.values())
    hub = {"origin": "hub", "revision": "1" * 40, "train": None, "test": None, "test_list": None}
    read_folder = partial(read_table, str(tmp_path))
    names = ["gsm8k", "math"]
    from_hub = list(sources.load_problems(make_section(sources=names, gsm8k=hub, math=hub), 0, read_folder))
    from_files = list(sources.load_problems(make_section(sources=names), 0, read_folder))
    assert from_hub == from_files
    assert len(from_hub) == 2 * (1 + len(MATH_SUBJECTS))


def test_a_hub_out_of_reach_is_an_error_with_the_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(BENCHMARKS["gsm8k"], repository=str(tmp_path / "absent"))
    with pytest.raises(SourceError, match=r"at revision abc: (.|\n)*PROOFLINE_DATA_ROOT .* origin to folder"):
        list(sources.hub_rows(absent, "abc", "train"))
