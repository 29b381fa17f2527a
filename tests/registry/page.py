"""What `docs/registry.md` tells to type."""

from __future__ import annotations

import re

from small_repository import REPOSITORY

PAGE = (REPOSITORY / "docs" / "registry.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def serving(port: int) -> tuple[str, list[str]]:
    """The command that serves a version, on this port, and those that ask it."""
    (lines,) = blocks("sh")
    exported, serve, *questions = lines.replace("\\\n", " ").replace("5001", str(port)).splitlines()
    assert exported.startswith("export MLFLOW_TRACKING_URI=")
    return serve, questions
