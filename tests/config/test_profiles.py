"""Profiles are whole recipes; using one keeps the file's comments, tells what changed and loses no edit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED, REPOSITORY, SHIPPED, copy_profiles
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.load import ParamsError, load_params, parse_params, read_yaml
from proofline.config.profiles import (
    Change,
    ProfileError,
    changes,
    merge,
    nearest_profile,
    save_profile,
    use_profile,
)
from proofline.config.schema import TRAINED
from proofline.records import stable_id

BETA = read_yaml(EMBEDDED)["dpo"]["beta"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository's recipe and profiles, starting from the embedded default."""
    copy_profiles(tmp_path)
    text = EMBEDDED.read_text().replace("seed:", "# A note on the seed.\nseed:", 1)
    (tmp_path / "params.yaml").write_text(text.replace("prepare:", "prepare:  # a note at the line's end", 1))
    return tmp_path


OPTIONAL = {f"{section}.lora" for section in TRAINED}
"""The one part of a recipe that may be left out."""


def keys_of(values: object, prefix: str = "") -> set[str]:
    if prefix.removeprefix(".") in OPTIONAL:
        return set()
    if not isinstance(values, dict) or prefix == ".prepare.own":  # what is described there is the user's
        return {prefix}
    return {key for name, value in values.items() for key in keys_of(value, f"{prefix}.{name}")}


def edit(root: Path, key: str, value: str) -> None:
    """Change one value by hand, as an editor would."""
    section, _, name = key.partition(".")
    path = root / "params.yaml"
    text, count = re.subn(rf"(?ms)(^{section}:.*?^  {name}: )[^\n]*", rf"\g<1>{value}", path.read_text(), count=1)
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_loads_and_sets_every_key(name: str) -> None:
    values = read_yaml(REPOSITORY / "profiles" / f"{name}.yaml")
    assert parse_params(values, name)
    assert keys_of(values) == keys_of(read_yaml(EMBEDDED))


@pytest.mark.parametrize("name", ["smollm2-cpu", "qwen2.5-coder-0.5b-cpu"])
def test_the_report_of_a_profile_is_of_the_recipe_that_it_is(name: str) -> None:
    """Edited after its run, a recipe has to be run again, or put back."""
    values = read_yaml(REPOSITORY / "profiles" / f"{name}.yaml")
    recipe = stable_id("recipe", json.dumps(values, sort_keys=True))
    assert f"recipe `{recipe}`" in (REPOSITORY / "docs" / name / "README.md").read_text()


@pytest.mark.parametrize("name", SHIPPED)
def test_using_a_profile_and_going_back_leaves_the_file_as_it_was(root: Path, name: str) -> None:
    before = (root / "params.yaml").read_text()
    made, backup = use_profile(root, name)
    assert backup is None
    assert changes(read_yaml(root / "profiles" / f"{name}.yaml"), read_yaml(root / "params.yaml")) == []
    known = {key.removeprefix(".") for key in keys_of(read_yaml(EMBEDDED))}
    assert {change.key for change in made if not change.key.startswith("prepare.own.")} <= known | OPTIONAL
    for note in ("# A note on the seed.", "# a note at the line's end"):
        assert note in (root / "params.yaml").read_text()
    use_profile(root, "embedded")
    assert (root / "params.yaml").read_text() == before


def test_a_users_own_problems_come_and_go_with_their_profile(root: Path) -> None:
    before = (root / "params.yaml").read_text()
    block = re.findall(
        r"^  own:\n(.*?)^```", (REPOSITORY / "docs/your-problems.md").read_text(), re.MULTILINE | re.DOTALL
    )
    described = before.replace("  own: {}\n", f"  own:\n{block[0]}").replace("[synthetic]", "[synthetic, shop]")
    (root / "params.yaml").write_text(described)
    save_profile(root, "mine")
    use_profile(root, "embedded")
    assert (root / "params.yaml").read_text() == before
    use_profile(root, "mine")
    assert (root / "params.yaml").read_text() == described


def test_changes_are_told_by_key(root: Path) -> None:
    edit(root, "dpo.beta", "0.25")
    name, edits = nearest_profile(root)
    assert (name, edits) == ("embedded", [Change("dpo.beta", BETA, 0.25)])
    assert str(edits[0]) == f"dpo.beta: {BETA} -> 0.25"


def test_hand_edits_are_not_replaced_unasked(root: Path) -> None:
    edit(root, "dpo.beta", "0.25  # tried on Monday")
    edited = (root / "params.yaml").read_text()
    with pytest.raises(ProfileError, match=r"dpo\.beta: .* -> 0\.25"):
        use_profile(root, "smoke")
    assert (root / "params.yaml").read_text() == edited
    assert not list(root.glob("params.yaml.*"))


def test_force_replaces_edits_and_keeps_each_old_file(root: Path) -> None:
    for number in (1, 2):
        edit(root, "dpo.beta", f"0.{number}5")
        edited = (root / "params.yaml").read_text()
        _, backup = use_profile(root, "embedded", force=True)
        assert backup == root / f"params.yaml.bak-{number}"
        assert backup.read_text() == edited


def test_an_edit_the_profile_agrees_with_is_not_lost(root: Path) -> None:
    for key, value in (("dpo.beta", "0.25"), ("evaluation.num_samples", "3"), ("sft.epochs", "7.0")):
        edit(root, key, value)
    save_profile(root, "monday")
    use_profile(root, "embedded")
    edit(root, "dpo.beta", "0.25")
    assert nearest_profile(root)[0] == "embedded"
    made, backup = use_profile(root, "monday")
    assert [change.key for change in made] == ["sft.epochs", "evaluation.num_samples"]
    assert backup is None


def test_edits_saved_as_a_profile_are_no_longer_edits(root: Path) -> None:
    edit(root, "dpo.beta", "0.25")
    save_profile(root, "monday")
    use_profile(root, "smoke")
    use_profile(root, "monday")
    assert load_params(root / "params.yaml").dpo.beta == 0.25


def test_a_profile_is_replaced_only_when_that_is_asked_for(root: Path) -> None:
    save_profile(root, "monday")
    with open(root / "profiles/monday.yaml", "a") as text:
        text.write("# Why: see the note of Monday.\n")
    edit(root, "dpo.beta", "0.3")
    before = (root / "profiles/monday.yaml").read_text()
    with pytest.raises(ProfileError, match=r"'monday' already; .* --force"):
        save_profile(root, "monday")
    assert (root / "profiles/monday.yaml").read_text() == before
    assert save_profile(root, "monday", force=True) == [Change("dpo.beta", BETA, 0.3)]
    assert "# Why: see the note of Monday." in (root / "profiles/monday.yaml").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "../dvc",
        "/tmp/dvc",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "a\\b",
        "a.",
        "x" * 65,
        "a:b",
        "~x",
        "*",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(root: Path, name: str) -> None:
    (root / "dvc.yaml").write_text("stages: {}\n")
    before = {path: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()}
    for force in (False, True):
        with pytest.raises(ProfileError, match="a profile's name is letters, digits"):
            save_profile(root, name, force=force)
    assert {path: path.read_bytes() for path in root.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["monday", "m", "qwen2.5-0.5b_2", "Größe-2", "x" * 64])
def test_a_name_is_a_name(root: Path, name: str) -> None:
    assert save_profile(root, name) == []
    edit(root, "dpo.beta", "0.3")
    use_profile(root, name, force=True)
    assert nearest_profile(root)[1] == []


def test_names_and_recipes_that_are_wrong_change_nothing(root: Path) -> None:
    with pytest.raises(ProfileError, match="did you mean smoke"):
        use_profile(root, "smok")
    (root / "profiles/bad.yaml").write_text("seed: 1\n")
    before = (root / "params.yaml").read_text()
    with pytest.raises(ParamsError, match=r"sft: missing"):
        use_profile(root, "bad")
    assert (root / "params.yaml").read_text() == before


leaves = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["a", "b"]))
trees = st.dictionaries(st.sampled_from("xyz"), st.one_of(leaves, st.dictionaries(st.sampled_from("uv"), leaves)))


@given(one=trees, other=trees)
def test_merging_gives_the_other_files_values_and_leaves_no_change(one: dict[str, Any], other: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target, source = Path(folder, "target.yaml"), Path(folder, "source.yaml")
        for path, values in ((target, one), (source, other)):
            path.write_text(json.dumps(values))
        merge(target, source)
        merged = read_yaml(target)
    assert merged == other
    assert changes(merged, other) == []
    assert bool(changes(one, other)) == (without_nulls(one) != without_nulls(other))


def without_nulls(values: object) -> object:
    """An absent key and a null are told as the same."""
    if isinstance(values, dict):
        return {name: without_nulls(value) for name, value in values.items() if value is not None}
    return repr(values)


@pytest.mark.slow
def test_dvc_sweeps_a_knob_on_top_of_a_profile(root: Path) -> None:
    use_profile(root, "smoke")
    program = "from proofline.config import load_params; open('rate', 'w').write(str(load_params().sft.learning_rate))"
    (root / "show.py").write_text(program)
    (root / "dvc.yaml").write_text("stages:\n  show:\n    cmd: python show.py\n    params: [sft]\n    outs: [rate]\n")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    environment.pop("DVC_ROOT", None)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["git", "add", "."],
        ["git", *identity, "commit", "-qm", "start"],
        ["dvc", "exp", "run", "-q", "-S", "sft.learning_rate=1.0e-5"],
    ):
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (root / "rate").read_text() == "1e-05"
    assert "# A note on the seed." in (root / "params.yaml").read_text()
    assert [change.key for change in nearest_profile(root)[1]] == ["sft.learning_rate"]
