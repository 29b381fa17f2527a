"""Rows that stay on the disk: a file as a sequence or a mapping, whose rows are read when they are asked for.

A stage that goes through more rows than fit into memory holds where each begins, 8 bytes a row, and not the rows. What
is a sequence here can be cut into shards, which stay on the disk too until they are computed: pickled for another
process or machine, it is the list of its rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Generic, TypeVar, overload

from pydantic import ValidationError

from proofline.records import Record
from proofline.storage.records import RecordError, iter_records, write_records
from proofline.storage.space import room_for

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class OnDisk(Sequence[T]):
    """A sequence that travels as the list of its items."""

    def __reduce__(self) -> tuple[type[list], tuple[list[T]]]:
        return list, (list(self),)


class Rows(OnDisk[R]):
    """The rows of a JSON Lines file. Raises RecordError as `iter_records` does, for a missing file at once."""

    def __init__(self, path: Path | str, kind: type[R], starts: array[int] | None = None, lines: range | None = None):
        """`starts`, `lines`: where all lines begin, and which of them are meant, where that is known."""
        self._path, self._kind = path, kind
        self._starts = _line_starts(path, kind) if starts is None else starts
        self._lines = range(len(self._starts) - 1) if lines is None else lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, at: int) -> R: ...
    @overload
    def __getitem__(self, at: slice) -> Rows[R]: ...
    def __getitem__(self, at: int | slice) -> R | Rows[R]:
        if isinstance(at, slice):
            return Rows(self._path, self._kind, self._starts, self._lines[at])
        return next(self._read([self._lines[at]]))

    def __iter__(self) -> Iterator[R]:
        return self._read(self._lines)

    def _read(self, lines: Sequence[int]) -> Iterator[R]:
        with open(self._path, "rb") as file:
            for line in lines:
                file.seek(self._starts[line])
                text = file.read(self._starts[line + 1] - self._starts[line])
                try:
                    yield self._kind.model_validate_json(text)
                except ValidationError as error:
                    raise RecordError(f"{self._path}:{line + 1}: not a {self._kind.__name__}: {error}") from error


def _line_starts(path: Path | str, kind: type[Record]) -> array[int]:
    """Where each line begins, and where the last one ends."""
    next(iter_records(path, kind), None)  # a missing file is told as everywhere
    starts = array("Q", [0])
    with open(path, "rb") as file:
        for line in file:
            starts.append(starts[-1] + len(line))
    return starts


def write_rows(path: Path | str, rows: Iterable[R], kind: type[R]) -> Rows[R]:
    """Write rows as they come, atomically; returns them as they lie there."""
    write_records(path, rows)
    return Rows(path, kind)


class Each(OnDisk[T]):
    """What `make` makes of the items in one place of sequences of one length, made whenever it is asked for."""

    def __init__(self, make: Callable[..., T], *of: Sequence[Any]) -> None:
        if len({len(one) for one in of}) > 1:
            raise RecordError(
                f"{' and '.join(str(len(one)) for one in of)} rows where there is one to each: `dvc repro` writes them "
                "so; an edited or older file is made again by the stage that writes it"
            )
        self._make, self._of = make, of

    def __len__(self) -> int:
        return len(self._of[0])

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Each[T]: ...
    def __getitem__(self, at: int | slice) -> T | Each[T]:
        parts = [one[at] for one in self._of]
        return Each(self._make, *parts) if isinstance(at, slice) else self._make(*parts)

    def __iter__(self) -> Iterator[T]:
        return map(self._make, *self._of)


class ById(Mapping[str, R]):
    """Rows by a field of theirs; what is held is the field and the row's place. It travels as a dictionary."""

    def __init__(self, rows: Sequence[R], field: str = "id") -> None:
        self._rows = rows
        self._places = {getattr(row, field): at for at, row in enumerate(rows)}

    def __getitem__(self, key: str) -> R:
        return self._rows[self._places[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> tuple[type[dict], tuple[dict[str, R]]]:
        return dict, (dict(self),)


class Aside(Generic[R]):
    """Rows put aside, to be read again in another order: in a file without a name, which no crash leaves behind."""

    def __init__(self, folder: Path | str, kind: type[R]) -> None:
        self._folder, self._kind = Path(folder), kind
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this

    def __enter__(self) -> Aside[R]:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def put(self, row: R) -> int:
        """Its place. Raises DiskFullError."""
        with room_for(self._folder / "rows put aside", 0, "Make room and start again."):
            place = self._file.seek(0, 2)
            self._file.write(row.model_dump_json().encode() + b"\n")
        return place

    def __getitem__(self, place: int) -> R:
        self._file.seek(place)
        return self._kind.model_validate_json(self._file.readline())
