"""Files of DVC's, cut off after any byte: told with the remedy, or harmless."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from proofline.storage.dvc_state import DvcStateError, check_dvc_state

LOCK = """\
schema: '2.0'
stages:
  rows:
    cmd: python rows.py
    params:
      params.yaml:
        seed: 1
    outs:
    - path: rows
      hash: md5
      md5: 9652f648a7895476e9e272be72c1b0a0.dir
      size: 18
      nfiles: 3
  weights:
    cmd: python train.py
    deps:
    - path: rows
      hash: md5
      md5: 9652f648a7895476e9e272be72c1b0a0.dir
      size: 18
      nfiles: 3
    outs:
    - path: weights.bin
      hash: md5
      md5: 45eb346a39ff114901e2a07ee3119d11
      size: 6000018
"""
RWLOCK = '{"write": {"/r/a": {"pid": 1, "cmd": "dvc repro"}}, "read": {}}'


@cache
def hashes(lock: str) -> dict[str, dict[str, str]]:
    """md5 of what each stage read and wrote."""
    stages: dict[str, Any] = YAML(typ="safe").load(lock)["stages"]
    found = {name: [*stage.get("deps", []), *stage.get("outs", [])] for name, stage in stages.items()}
    return {name: {entry["path"]: entry["md5"] for entry in entries} for name, entries in found.items()}


@pytest.mark.parametrize(
    ("name", "whole", "remedy"),
    [("dvc.lock", LOCK, "git checkout dvc.lock"), (".dvc/tmp/rwlock", RWLOCK, "rm {path}")],
    ids=["lock", "rwlock"],
)
def test_a_file_that_is_cut_off_is_told_or_harmless(tmp_path: Path, name: str, whole: str, remedy: str) -> None:
    """Harmless: each entry that is left is whole; DVC takes what has none for not yet run, and asks the run cache."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    harmless: list[str] = []
    remedies: set[str] = set()
    for end in range(len(whole)):
        path.write_text(whole[:end])
        try:
            check_dvc_state(tmp_path)
        except DvcStateError as error:
            remedies.add(str(error).partition("`")[2].partition("`")[0])
        else:
            harmless.append(whole[:end])
    for lock in harmless:
        assert all(entries.items() <= hashes(LOCK)[stage].items() for stage, entries in hashes(lock).items()), lock
    assert remedies == {remedy.format(path=path)}
    assert len(harmless) < len(whole) / 3
    path.write_text(whole)
    check_dvc_state(tmp_path)
    path.unlink()
    check_dvc_state(tmp_path)
