"""The command line: answers, and errors that are a message rather than a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from checkout import EMBEDDED, copy_profiles

from proofline.check import show_own_problems
from proofline.cli import main
from proofline.config import Environment
from proofline.config.load import parse_params, read_yaml
from proofline.storage.remote import sha256


@pytest.fixture(autouse=True)
def in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_profiles(tmp_path)
    shutil.copy(EMBEDDED, tmp_path / "params.yaml")
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "below").mkdir()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path / "below")


def test_check_names_the_profile_and_the_execution(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFLINE_THREADS", "3")
    assert main(["check"]) == 0
    answer = capsys.readouterr().out
    assert answer.startswith("params.yaml: embedded, seed ")
    assert "  threads: 3\n" in answer
    assert "demonstrations: reference; answers: in the form of each problem's reference\n" in answer


@pytest.mark.parametrize("reads", [0, 1], ids=["nothing is read", "a line is read"])
def test_a_reader_that_has_seen_enough_is_no_error(reads: int) -> None:
    """As `| head -1`: the command ends as others do that a closed pipe ends, without a word."""
    process = subprocess.Popen(["proofline", "check"], stdout=PIPE, stderr=PIPE, text=True, bufsize=1)
    assert process.stdout
    assert process.stderr
    for _ in range(reads):
        process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() in (0, 141)  # all may have been in the pipe


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({'solution: "{question}"': r'solution: "{question} End in #### 1 or \\boxed{1}."'}, "forms #### and \\boxed;"),
        ({"base_problems: 0": "base_problems: 8", "source: reference": "source: sampled", "source: bundled":
          "source: folder", "folder: null": "folder: x"}, "prompts.solution names no form of answers"),
    ],
)  # fmt: skip
def test_check_refuses_answers_in_more_than_one_form(
    changes: dict[str, str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Path("../params.yaml").read_text()
    for old, new in changes.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    Path("../params.yaml").write_text(recipe)
    assert main(["check"]) == 1
    assert says in capsys.readouterr().err


def test_check_counts_the_training_problems_that_are_not_demonstrated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a test problem nobody asks for a demonstration."""
    rows = [("train", "7 + 5", 12), ("train", "7 + 5", 13), ("test", "6 * 7", 42)]
    lines = [
        json.dumps({"question": f"What is {at} and {sum_}?", "sum": sum_, "answer": answer, "split": split}) + "\n"
        for at, (split, sum_, answer) in enumerate(rows)
    ]
    (tmp_path / "shop.jsonl").write_text("".join(lines))
    shop = {
        "files": [{"path": "shop.jsonl", "sha256": sha256(str(tmp_path / "shop.jsonl")), "split": None}], "fields": {},
        "answers": "number", "demonstration": "{sum} = {answer}\n#### {answer}", "test_fraction": 0.0,
        "train": None, "test": None,
    }  # fmt: skip
    values: Any = read_yaml(EMBEDDED)
    values["prepare"] |= {"sources": ["shop"], "own": {"shop": shop}}
    show_own_problems(parse_params(values), Environment(data_root=str(tmp_path)))
    assert capsys.readouterr().out == "  shop: 2 train, 0 dev, 1 test; 1 have no demonstration\n"


def test_check_refuses_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Path("../params.yaml").read_text()
    recipe = recipe.replace("source: bundled", "source: folder").replace("folder: null", "folder: my/model")
    Path("../params.yaml").write_text(recipe)
    assert main(["check"]) == 1
    assert f"{Path('..').resolve() / 'my/model'} is not a folder" in capsys.readouterr().err


def test_a_broken_recipe_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    Path("../params.yaml").write_text(Path("../params.yaml").read_text().replace("beta:", "betta:"))
    assert main(["check"]) == 1
    assert "; did you mean dpo.beta?" in capsys.readouterr().err


def test_profiles_are_used_compared_and_saved(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "use", "smoke"]) == 0
    assert "params.yaml is now smoke: " in capsys.readouterr().out
    assert main(["profile", "diff"]) == 0
    assert capsys.readouterr().out == "params.yaml against smoke: 0 values differ\n"
    assert main(["profile", "save", "mine"]) == 0
    assert main(["profile", "list"]) == 0
    assert "* mine" in capsys.readouterr().out
    assert main(["profile", "use", "embeded"]) == 1
    assert "did you mean embedded?" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("not enough values to unpack")

    monkeypatch.setattr("proofline.config.profiles.nearest_profile", broken)
    with pytest.raises(ValueError, match="unpack"):
        main(["profile", "list"])
