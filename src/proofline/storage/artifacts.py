"""Text and JSON written whole or not at all.

A file is written to a neighbour called `NAME.partial`, flushed to the disk and renamed into place, so a reader (or
DVC) finds the old file, the new one or none, never half of one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from proofline.storage.space import room_for


@contextmanager
def atomic_text(path: Path | str) -> Iterator[IO[str]]:
    """A text file (UTF-8) to write to; it takes its place only if the block ends without an error.

    Raises DiskFullError where there is no room for it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with (
        room_for(partial, 0, f"{path} is as it was. Make room and start again."),
        open(partial, "w", encoding="utf-8") as text,
    ):
        yield text
        text.flush()
        os.fsync(text.fileno())
    os.replace(partial, path)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically."""
    with atomic_text(path) as out:
        out.write(text)


def write_json(path: Path | str, value: object) -> None:
    """Write a JSON file atomically, keys in their given order. NaN, our "undefined", becomes null: JSON has no NaN."""
    write_text(path, json.dumps(_without_nan(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
