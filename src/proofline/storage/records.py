"""Records as JSON Lines: one row a line, UTF-8, in a stable order of keys, gzip where the name ends in `.gz`."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from proofline.records import Record

R = TypeVar("R", bound=Record)


class RecordError(ValueError):
    """A row that is not a record of the expected type."""


def iter_records(path: Path | str, kind: type[R]) -> Iterator[R]:
    """Yield the rows of a file in order. Raises RecordError naming file, line and field of a bad row."""
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise RecordError(f"{path}:{number}: not a {kind.__name__}: {error}") from error


def read_records(path: Path | str, kind: type[R]) -> list[R]:
    """All rows of a file, in order."""
    return list(iter_records(path, kind))


def write_records(path: Path | str, rows: Iterable[Record]) -> int:
    """Write rows to a temporary neighbour and rename it into place; returns the number of rows."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    count = 0
    with open(partial, "w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(row.model_dump_json() + "\n")
            count += 1
    os.replace(partial, path)
    return count
