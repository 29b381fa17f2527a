"""The spool: what a run has to say, one JSON event a line, in a local file.

The stage appends; the recorder (a process of its own) reads and sends. So a step never waits for a server, and a
run outlives the loss of one. Events, in order: one `start`, any of `metrics` `params` `tag` `artifact`, one `end`.
A spool without an `end` belongs to a stage that is still running, or that was killed. Nothing is taken out of the file
before all of it has arrived: a store that comes back empty gets the run from its start.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Event = dict[str, Any]
SPOOLS = ".tracking"
"""Their folder in the repository's root."""
CONTINUES = "proofline.continues"
"""A tag: the run of an interrupted stage, what is left of which this one takes up."""
ID_SECONDS = 60.0
"""How long an id is waited for."""


class Spool:
    """The stage's end of the file: a `Run`. One event costs about 10 microseconds and is with the kernel at once.

    A stage's process that was started again opens the file of the one that died. It says no point of a curve twice,
    and begins with a new line where the other was cut off in the middle of one.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._file).st_size
        self._cut = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        self._said = _points(path) if size else frozenset()
        self._warned = False

    def __reduce__(self) -> tuple[type[Spool], tuple[Path]]:
        """In another process of the stage a spool is the same file, opened for appending."""
        return Spool, (self.path,)

    def write(self, kind: str, **fields: Any) -> None:
        event = {"kind": kind, "time_ms": time.time_ns() // 1_000_000, **fields}
        self._append(json.dumps(event, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def id(self) -> str | None:
        """The id, which the recorder knows about 4 s after the stage's start; None where the store is lost.

        Of a stage that has named an earlier run: when the recorder has seen whether that one goes on.
        """
        events, _ = read_events(self.path)
        named = [event["value"] for event in events if event["kind"] == "tag" and event["name"] == CONTINUES]
        deadline = time.monotonic() + ID_SECONDS
        while time.monotonic() < deadline and self._has_reader():
            state = read_state(self.path)
            run_id = state.get("run_id")
            if run_id and (not named or named[-1] in (run_id, state.get("continues"))):
                return str(run_id)
            time.sleep(0.05)
        return None

    def _has_reader(self) -> bool:
        """Whether somebody is there who would say it: the stage, and its recorder, hold a lock on the file."""
        with open(self.path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        values = {name: _number(name, value) for name, value in leaves(metrics) if (name, step) not in self._said}
        if values:
            self.write("metrics", values=values, step=step or 0)

    def log_params(self, params: Mapping[str, object]) -> None:
        self.write("params", values={name: str(value) for name, value in leaves(params)})

    def log_artifact(self, path: Path | str, folder: str = "") -> None:
        self.write("artifact", path=str(Path(path).absolute()), folder=folder)

    def set_tag(self, name: str, value: str) -> None:
        self.write("tag", name=name, value=value)

    def _append(self, line: bytes) -> None:
        """A line, whole. A full disk may take a part of it: what follows then begins on a new one."""
        line = b"\n" + line if self._cut else line
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._not_taken(line, str(error))
            return
        self._cut = written < len(line) if written else self._cut
        if written < len(line):
            self._not_taken(line, "the disk took only a part of a line")

    def _not_taken(self, line: bytes, reason: str) -> None:
        """Warn once; the stage goes on, since its results are worth more than their record."""
        if not self._warned:
            self._warned = True
            print(f"tracking: {self.path} cannot be written: {reason}. {self._without_file}", file=sys.stderr)

    _without_file = "This process goes on; what it would have recorded is lost while there is no room."


def state_path(spool: Path) -> Path:
    """Where the recorder of a spool keeps its own notes."""
    return spool.with_suffix(".state")


def read_state(spool: Path) -> dict[str, Any]:
    """The recorder's notes: `offset` in bytes, `run_id` once the run is open, `facts`. `{}` before there are any."""
    try:
        return json.loads(state_path(spool).read_text())
    except (FileNotFoundError, ValueError):  # a full disk may have kept nothing of them
        return {}


def read_events(
    source: Path | int, offset: int = 0, *, over: bool = False, skipped: Callable[[str], object] = lambda line: None
) -> tuple[list[Event], int]:
    """The events from byte `offset` on, of a path or an open file, and the offset behind them.

    A line being written is left for later, unless all is `over`. A line that is no event was cut off by a kill or a
    full disk: `skipped` is told of it.
    """
    with open(source, "rb", closefd=not isinstance(source, int)) as lines:
        lines.seek(offset)
        content = lines.read()
    if not over:
        content = b"".join(content.rpartition(b"\n")[:2])
    return list(parse(content, skipped)), offset + len(content)


def parse(content: bytes, skipped: Callable[[str], object]) -> Iterator[Event]:
    """The events in these lines."""
    for line in content.split(b"\n"):
        try:
            event = json.loads(line) if line.strip() else None
        except ValueError:
            event = line
        if isinstance(event, dict) and "kind" in event:
            yield event
        elif event is not None:
            skipped(line.decode(errors="replace"))


def leaves(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """`{"sft": {"epochs": 2.0}}` -> `("sft.epochs", 2.0)`; a section of the recipe counts as a mapping."""
    for name, value in values.items():
        content = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        if isinstance(content, Mapping):
            yield from leaves(content, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", content


def _points(path: Path) -> frozenset[tuple[str, int]]:
    """The points of curves that a spool holds, by name and step."""
    events, _ = read_events(path)
    metrics = [event for event in events if event["kind"] == "metrics"]
    return frozenset((name, event["step"]) for event in metrics for name in event["values"])


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"metric {name!r} is {value!r}, not a number; log it with `log_params`, or NaN where it is undefined"
        ) from None
