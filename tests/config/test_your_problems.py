"""docs/your-problems.md is true: what it says to type is typed, in its order, and answers what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED, REPOSITORY, copy_profiles
from ruamel.yaml import YAML

from proofline.cli import main
from proofline.config.load import load_params, parse_params, read_yaml
from proofline.config.own import Own, OwnFile
from proofline.data.own_rows import READERS
from proofline.data.prepare import prepare
from proofline.storage.tables import located, read_table

PAGE = (REPOSITORY / "docs/your-problems.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_pages_keys_are_those_of_the_recipe_and_of_the_rows() -> None:
    named = {name for keys in re.findall(r"^\| (`\w+`(?:, `\w+`)*)(?: of a file)? \|", PAGE, re.MULTILINE)
             for name in re.findall(r"\w+", keys)}  # fmt: skip
    assert named == {*READERS, *Own.model_fields, *OwnFile.model_fields} - {"files"}
    for block in blocks("yaml"):
        values: Any = read_yaml(EMBEDDED)
        values["prepare"] |= YAML(typ="safe").load(block)["prepare"]
        assert parse_params(values).prepare.own


def test_what_the_page_says_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_profiles(tmp_path)
    shutil.copy(EMBEDDED, tmp_path / "params.yaml")
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)

    def typed(block: str) -> str:
        """The block's answer; our commands in this process, the graph's not at all."""
        shell, *commands = re.split(r"^(proofline .*|dvc repro)$", block, flags=re.MULTILINE)
        printed = subprocess.run(["bash", "-euc", shell], capture_output=True, text=True, check=True).stdout
        for command in commands:
            if command.startswith("proofline"):
                main(command.split()[1:])
        said = capsys.readouterr()
        return (printed + said.out + said.err).replace(f"{tmp_path}/", "")

    write, use, check, spoil, mend = blocks("bash")
    recipe, _ = blocks("yaml")
    described = YAML(typ="safe").load(recipe)["prepare"]
    assert described["own"]["shop"]["files"][0]["sha256"] in typed(write)
    assert "params.yaml is now smoke" in typed(use)
    yaml = YAML()
    values = yaml.load(Path("params.yaml"))
    values["prepare"].update(described)
    yaml.dump(values, Path("params.yaml"))
    checked, faults = blocks("text")
    assert checked in typed(check)
    assert typed(spoil).endswith(faults)
    typed(mend)
    root = str(tmp_path / "data/raw")
    made = prepare(load_params().prepare, 0, partial(read_table, root), partial(located, root))
    assert {row.source for row in made.splits["train"]} == {row.source for row in made.splits["test"]} >= {"shop"}
    assert {row.style for row in made.demonstrations} == {"worked", "compact", "template", "reference"}
