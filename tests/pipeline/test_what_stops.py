"""What stops a command or a stage is told in a sentence: the file, what was found, what to do. Never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import EMBEDDED, REPOSITORY, copy_profiles, make_checkout, tried

from proofline.cli import main

POLICIES = {"sample": "sft", "grade": "sft", "evaluate": "base"}
STAGES = [
    ["python", f"stages/{path.name}", *(["--policy", POLICIES[path.stem]] if path.stem in POLICIES else [])]
    for path in sorted((REPOSITORY / "stages").glob("[!_]*.py"))
]
COMMANDS = [
    ["python", "-m", "proofline.cli", *command.split()]
    for command in (
        "profile use embedded", "profile save mine", "runs", "ui --port 0", "readme", "graph", "graph x.svg",
        "registry list", "registry register sft", "pretrain",
    )
]  # fmt: skip
READING = ["check", "profile list", "profile diff", "profile diff smoke", "profile use smoke", "profile save mine"]


WRONG = {
    "Latin-1": (lambda text: ("# Größe\n" + text).encode("latin-1"), "line 1: found byte 0xf6, as of another encoding"),
    "UTF-16": (lambda text: text.encode("utf-16"), "line 1: found byte 0xff, as of UTF-16; save the file as UTF-8"),
    "UTF-16, big end first": (lambda text: b"\xfe\xff" + text.encode("utf-16-be"), "as of UTF-16"),
    "Windows": (lambda text: text.replace("seed:", "seed: 0 # „\nseed:").encode("cp1252"), "found byte 0x84"),
    "zeros": (lambda text: b"\0" * 64, "not YAML"),
    "no such day": (lambda text: text.replace("seed: 0", "seed: 2026-02-31").encode(), "not YAML: "),
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_profiles(tmp_path)
    shutil.copy(EMBEDDED, tmp_path / "params.yaml")
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("command", READING)
def test_a_recipe_that_is_no_text_is_refused(
    root: Path, kind: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, says = WRONG[kind]
    (root / "params.yaml").write_bytes(spoil(EMBEDDED.read_text()))
    before = sorted(root.rglob("*"))
    assert main(command.split()) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"proofline: {root}/params.yaml: ")
    assert says in told
    assert sorted(root.rglob("*")) == before


def test_a_mark_of_the_byte_order_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Windows editors write one; DVC takes it as well."""
    text = EMBEDDED.read_text()
    (root / "params.yaml").write_text(text[text.index("seed:") :], encoding="utf-8-sig")
    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith("params.yaml: embedded, seed 0")
    assert main(["profile", "use", "smoke"]) == 0
    assert main(["profile", "diff", "smoke"]) == 0
    assert "0 values differ" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["params.yaml", ".execution.yaml", "profiles/mine.yaml"])
@pytest.mark.parametrize("kind", ["folder", "Latin-1"])
def test_every_file_of_settings_is_refused_alike(
    root: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / name).unlink(missing_ok=True)
    if kind == "folder":
        (root / name).mkdir()
    else:
        (root / name).write_bytes("# Größe\nthreads: 2\n".encode("latin-1"))
    assert main(["check"]) == 1
    told = capsys.readouterr().err
    assert f"{root / name}: " in told
    assert "cannot be read: Is a directory" in told if kind == "folder" else "save the file as UTF-8" in told


def powerless(command: list[str]) -> list[str]:
    """The command for somebody whom the permissions of files hold: root, without what sets root above them."""
    if os.getuid():
        return command
    if not shutil.which("setpriv"):
        pytest.skip("root is above permissions here, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("theirs") / "copy")


def told(command: list[str], folder: Path) -> str:
    """What is said by a command that has to stop."""
    path = str(folder / "src")
    done = tried(powerless([sys.executable if part == "python" else part for part in command]), folder, PYTHONPATH=path)
    assert done.returncode in (1, 255), done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


@pytest.fixture
def read_only(copy: Path) -> Iterator[Path]:
    subprocess.run(["chmod", "-R", "a-w", str(copy)], check=True)
    yield copy
    subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, *STAGES, ["dvc", "repro"]], ids=" ".join)
def test_a_checkout_that_cannot_be_written_is_named(read_only: Path, command: list[str]) -> None:
    message = told(command, read_only)
    assert str(read_only) in message or "no such file; `dvc repro` makes it" in message, message
    lines = [line for line in message.splitlines() if line and "dvc.org/support" not in line]
    assert len(lines) == 1, message


@pytest.mark.slow
def test_a_checkout_that_cannot_be_written_can_be_asked(read_only: Path) -> None:
    for command in ("check", "profile list", "profile diff smoke"):
        done = tried(powerless([sys.executable, "-m", "proofline.cli", *command.split()]), read_only)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_recipe_that_may_not_be_read_is_named(copy: Path) -> None:
    (copy / "params.yaml").chmod(0)
    try:
        for command in (*COMMANDS[:2], *STAGES[:2]):
            assert "params.yaml: 1 problem; nothing was run\n  cannot be read: Permission denied" in told(command, copy)
    finally:
        (copy / "params.yaml").chmod(0o644)


@pytest.mark.slow
@pytest.mark.parametrize("command", [*STAGES, ["dvc", "repro"]], ids=" ".join)
def test_every_stage_refuses_a_recipe_that_is_no_text(copy: Path, command: list[str]) -> None:
    recipe = (copy / "params.yaml").read_bytes()
    (copy / "params.yaml").write_bytes(WRONG["Latin-1"][0](recipe.decode()))
    try:
        message = told(command, copy)
        # `grade` reads no recipe; without DVC it stops at what is not there.
        assert "params.yaml" in message or "no such file; `dvc repro` makes it" in message
    finally:
        (copy / "params.yaml").write_bytes(recipe)
