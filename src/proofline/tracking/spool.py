"""The spool: what a run has to say, one JSON event a line, in a local file.

The stage appends; the recorder (a process of its own) reads and sends. So a step never waits for a server, and a
run outlives the loss of one. Events, in order: one `start`, any of `metrics` `params` `tag` `artifact`, one `end`.
A spool without an `end` belongs to a stage that is still running, or that was killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Spool:
    """The stage's end of the file: a `Run`. One event costs about 10 microseconds and is flushed at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lines = open(path, "a", encoding="utf-8")  # noqa: SIM115 - lives as long as the run

    def __reduce__(self) -> tuple[type[Spool], tuple[Path]]:
        """In another process of the stage a spool is the same file, opened for appending."""
        return Spool, (self.path,)

    def write(self, kind: str, **fields: Any) -> None:
        event = {"kind": kind, "time_ms": time.time_ns() // 1_000_000, **fields}
        self._lines.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._lines.flush()

    def close(self) -> None:
        self._lines.close()

    def id(self) -> str | None:
        return None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        self.write("metrics", values={name: _number(name, value) for name, value in leaves(metrics)}, step=step or 0)

    def log_params(self, params: Mapping[str, object]) -> None:
        self.write("params", values={name: str(value) for name, value in leaves(params)})

    def log_artifact(self, path: Path | str, folder: str = "") -> None:
        self.write("artifact", path=str(Path(path).absolute()), folder=folder)

    def set_tag(self, name: str, value: str) -> None:
        self.write("tag", name=name, value=value)


def state_path(spool: Path) -> Path:
    """Where the recorder of a spool keeps its own notes."""
    return spool.with_suffix(".state")


def read_state(spool: Path) -> dict[str, Any]:
    """The recorder's notes: `offset` in bytes, `run_id` once the run is open, `facts`. `{}` before there are any."""
    try:
        return json.loads(state_path(spool).read_text())
    except FileNotFoundError:
        return {}


def read_events(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The complete lines from byte `offset` on, and the offset behind them; a line being written is left for later."""
    with open(path, "rb") as lines:
        lines.seek(offset)
        whole, newline, _ = lines.read().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines() if line], offset + len(whole + newline)


def leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """`{"sft": {"epochs": 2.0}}` -> `("sft.epochs", 2.0)`; a section of the recipe counts as a mapping."""
    for name, value in values.items():
        content = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        if isinstance(content, Mapping):
            yield from leaves(content, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", content


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"metric {name!r} is {value!r}, not a number; log it with `log_params`, or NaN where it is undefined"
        ) from None
