"""`docs/registry.md`: its commands, in their order, and its Python, in a repository after its first reproduction.

Its server is asked in `test_serving`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from page import blocks
from small_repository import SmallRepository, clean_environment

pytestmark = pytest.mark.slow(minutes=2)


def test_the_commands_of_the_page_do_what_it_says(repository: SmallRepository) -> None:
    commands = [shlex.split(line, comments=True) for line in "".join(blocks("console")).splitlines()]
    assert len(commands) >= 10
    for command in commands:
        repository.run(*command)
    told = repository.registry("history", "dpo").stdout.splitlines()
    assert [re.search(r"(promoted|back to) version (\d)", line).groups() for line in told] == [  # type: ignore[union-attr]
        ("promoted", "1"), ("promoted", "1"), ("promoted", "2"), ("back to", "1")
    ]  # fmt: skip


def test_its_python_answers(trained: SmallRepository) -> None:
    (program,) = blocks("python")
    environment = clean_environment(None, MLFLOW_TRACKING_URI=trained.uri)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=trained.root.parent, env=environment, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
