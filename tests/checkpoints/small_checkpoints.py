"""Checkpoints of invented content, written by real processes."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from proofline.checkpoints.folder import Folder
from proofline.checkpoints.store import Keep, Store, step_folder
from proofline.checkpoints.writer import Writer

STAGE, IDENTITY = "train_sft", "0123456789abcdef"


def a_store(root: Path) -> Store:
    return Store(Folder(root / STAGE / IDENTITY), STAGE, IDENTITY)


def a_writer(store: Store, attempt: str = "aaaaaaaa", **settings: Any) -> Writer:
    return Writer(store, attempt, {"section": {"epochs": 1.0}, "seed": 0}, of_steps=100, **settings)


def content(step: int, rank: int = 0) -> dict[str, bytes]:
    """What a process writes at a step: known again by its bytes."""
    source = random.Random(f"{step} {rank}")
    return {
        "model.safetensors": source.randbytes(source.randrange(3000)),
        "optimizer.safetensors": source.randbytes(5000),
        "state.json": b"{}",
    }


def chunked(data: bytes, size: int = 1000) -> Callable[[], list[bytes]]:
    return lambda: [data[at : at + size] for at in range(0, len(data), size)]


def save(writer: Writer, step: int) -> None:
    writer.start(step, {name: chunked(data) for name, data in content(step, writer.rank).items()})
    writer.wait()
    if writer.error:
        raise writer.error


def stored(store: Store, step: int) -> dict[str, bytes]:
    """What lies there, by the names of its writers."""
    return {
        name.partition("/")[2]: b"".join(store.place.read(f"{step_folder(step)}/{name}"))
        for name in store.manifest(step).objects
    }


def in_fork(work: Callable[[], None]) -> int:
    """Run it in a process of its own, begun now; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """How it ended: its exit status, or minus a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(line: int) -> None:
    """Have this process killed at so manieth line of the store's code that any of its threads comes to."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if "/proofline/checkpoints/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        if count == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)


def save_in_turn(root: Path, first: int, until: int, told: Path, keep: Keep) -> None:
    """Save step after step; a step that is safe by the writer's word is told in a file."""
    writer = a_writer(a_store(root), f"{os.getpid():08x}", keep=keep)
    for step in range(first, until):
        save(writer, step)
        with open(told, "a") as file:
            file.write(f"{step}\n")
