"""docs/compare.md is true: its commands print what it says, on the real logs beside these tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/compare.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```console\n\$ (proofline compare .*?[^\\])\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), SHOWN, ids=[str(number) for number in range(len(SHOWN))])
def test_a_command_prints_what_the_page_shows(command: str, printed: str) -> None:
    arguments = command.replace("\\\n", " ").split()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "proofline.cli", *arguments], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
    )  # fmt: skip
    assert (done.stdout + done.stderr).strip() == printed.strip()


def test_the_page_shows_both_harnesses_and_a_refusal() -> None:
    assert len(SHOWN) >= 3
    assert any("lm_eval" in command for command, _ in SHOWN)
    assert any(".eval" in command for command, _ in SHOWN)
    assert any("not about the same items" in printed for _, printed in SHOWN)
