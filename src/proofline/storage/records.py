"""Records as JSON Lines: one row a line, UTF-8, keys in the order of the fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from proofline.records import Record
from proofline.storage.artifacts import atomic_text

R = TypeVar("R", bound=Record)


class RecordError(ValueError):
    """A file that is not there, or a row that is not a record of the expected type."""


def iter_records(path: Path | str, kind: type[R]) -> Iterator[R]:
    """Yield the rows of a file in order. Raises RecordError naming the file, and line and field of a bad row."""
    if not Path(path).exists():
        raise RecordError(f"{path}: no such file; `dvc repro` makes it, `dvc pull` fetches it")
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise RecordError(f"{path}:{number}: not a {kind.__name__}: {error}") from error


def read_records(path: Path | str, kind: type[R]) -> list[R]:
    """All rows of a file, in order."""
    return list(iter_records(path, kind))


def write_records(path: Path | str, rows: Iterable[Record]) -> int:
    """Write rows atomically (see `artifacts`); returns how many."""
    count = 0
    with atomic_text(path) as lines:
        for row in rows:
            lines.write(row.model_dump_json() + "\n")
            count += 1
    return count
