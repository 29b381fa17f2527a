"""data/README.md is true to `dvc.yaml` and `records.py`: files, stages, fields, types, words, examples."""

from __future__ import annotations

import re

import pytest
from checkout import REPOSITORY, typed
from described import RECORDS, fields_table, files_table

from proofline import records
from proofline.records import Decoding, Origin, Record

README = (REPOSITORY / "data/README.md").read_text(encoding="utf-8")
KINDS = [*dict.fromkeys(RECORDS.values()), Decoding, Origin]


def section(kind: type[Record]) -> str:
    return README.split(f"\n### {kind.__name__}\n")[1].split("\n##")[0]


def test_every_file_is_named_with_its_stages() -> None:
    assert files_table() in README, f"the table of files should be\n{files_table()}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_described_as_in_the_code(kind: type[Record]) -> None:
    assert fields_table(kind) in section(kind), f"the table of fields should be\n{fields_table(kind)}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_example_is_a_row(kind: type[Record]) -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", section(kind), re.DOTALL)
    assert kind.model_validate_json(example).model_dump_json() == example


def test_no_other_record_is_described() -> None:
    described = set(re.findall(r"^### (\w+)$", README, re.MULTILINE))
    assert described == {kind.__name__ for kind in KINDS}
    assert described <= set(vars(records))


def test_the_readme_is_in_git_and_results_are_not() -> None:
    git = ["git", "-c", "safe.directory=*", "check-ignore", "-q", "--no-index"]
    for path in ("data/pairs.jsonl", "data/problems/train.jsonl", "data/raw/gsm8k_train.jsonl.gz", "models/sft"):
        typed([*git, path], REPOSITORY)
    with pytest.raises(AssertionError):
        typed([*git, "data/README.md"], REPOSITORY)
