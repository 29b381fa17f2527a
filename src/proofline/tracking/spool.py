"""The spool: what a run has to say, one JSON event a line, in a local file.

The stage appends; the recorder (a process of its own) reads and sends. So a step never waits for a server, and a
run outlives the loss of one. Events, in order: one `start`, any of `metrics` `params` `tag` `artifact`, one `end`.
A spool without an `end` belongs to a stage that is running or was killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Spool:
    """The stage's end of the file: a `Run`. A line costs a few microseconds and is flushed at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lines = open(path, "a", encoding="utf-8")  # noqa: SIM115 - lives as long as the run

    def write(self, kind: str, **fields: Any) -> None:
        event = {"kind": kind, "time_ms": time.time_ns() // 1_000_000, **fields}
        self._lines.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
        self._lines.flush()

    def close(self) -> None:
        self._lines.close()

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.write("metrics", values={name: float(value) for name, value in metrics.items()}, step=step or 0)

    def log_params(self, params: Mapping[str, object]) -> None:
        self.write("params", values=flatten(params))

    def log_artifact(self, path: Path | str, folder: str = "") -> None:
        self.write("artifact", path=str(Path(path).absolute()), folder=folder)

    def set_tag(self, name: str, value: str) -> None:
        self.write("tag", name=name, value=value)


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """`{"sft": {"epochs": 2.0}}` -> `{"sft.epochs": "2.0"}`; sections (pydantic models) count as mappings."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if hasattr(value, "model_dump"):
            value = value.model_dump(mode="json")
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat
