"""What a stage, a trainer or a library function may say about the run it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Run(Protocol):
    """A place to report to. All calls but `id` return at once, and none fails because a tracking server does."""

    def id(self) -> str | None:
        """The run's id in the store; waits until it is known (seconds). None where nobody keeps the run."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record numbers, at a step where they form a curve; nested mappings become dotted names."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record settings that are not in the recipe's sections; nested mappings become dotted names."""

    def log_artifact(self, path: Path | str, folder: str = "") -> None:
        """Copy a file or a folder as it is at the end of the run into the run's artifacts, under `folder`."""

    def set_tag(self, name: str, value: str) -> None:
        """Label the run for search."""


class NullRun:
    """A run that nobody records: for using the library outside a stage."""

    def id(self) -> str | None:
        return None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None: ...

    def log_params(self, params: Mapping[str, object]) -> None: ...

    def log_artifact(self, path: Path | str, folder: str = "") -> None: ...

    def set_tag(self, name: str, value: str) -> None: ...
