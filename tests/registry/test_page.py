"""`docs/registry.md`: its commands, in their order, and its Python, in a repository after its first reproduction."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from small_repository import REPOSITORY, SmallRepository, clean_environment, free_port, served

pytestmark = pytest.mark.slow(minutes=2)

PAGE = (REPOSITORY / "docs" / "registry.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_commands_of_the_page_do_what_it_says(repository: SmallRepository) -> None:
    commands = [shlex.split(line, comments=True) for line in "".join(blocks("console")).splitlines()]
    assert len(commands) >= 10
    for command in commands:
        repository.run(*command)
    told = repository.registry("history", "dpo").stdout.splitlines()
    assert [re.search(r"(promoted|back to) version (\d)", line).groups() for line in told] == [  # type: ignore[union-attr]
        ("promoted", "1"), ("promoted", "1"), ("promoted", "2"), ("back to", "1")
    ]  # fmt: skip


def test_its_python_and_its_server_answer(trained: SmallRepository) -> None:
    (program,) = blocks("python")
    (lines,) = blocks("sh")
    environment = clean_environment(None, MLFLOW_TRACKING_URI=trained.uri)
    elsewhere = trained.root.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=elsewhere, env=environment, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    port = str(free_port())
    exported, serve, *questions = lines.replace("\\\n", " ").replace("5001", port).splitlines()
    assert exported.startswith("export MLFLOW_TRACKING_URI=")
    with served(shlex.split(serve), f"http://127.0.0.1:{port}/ping", elsewhere, MLFLOW_TRACKING_URI=trained.uri):
        for question in questions:
            answered = subprocess.run(shlex.split(question), text=True, capture_output=True)
            assert '"predictions"' in answered.stdout, answered.stdout
