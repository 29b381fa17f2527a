"""The lines of a user's file as JSON objects, and whatever is wrong with them, all of it at once.

A byte order mark, carriage returns and blank lines are passed over: editors put them there, and they say nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from proofline.data.published import Fields, Row, SourceError
from proofline.storage.remote import read_byte_lines

MAX_TOLD = 20
"""Faults of a file that are told; the others are counted."""
MAX_ROW_BYTES = 100_000
"""The longest row of MATH has 7,000."""
_MARK = b"\xef\xbb\xbf"
_OTHER_FILES = {
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"\x1f\x8b": "packed by gzip; let its name end in .gz",
    b"PK": "a zip archive; unpack it",
    b"[": "a JSON array; one object a line is expected, which `jq -c '.[]' FILE` writes",
}


class Faults:
    """What is wrong with one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        self._told: list[str] = []

    def add(self, place: str, fault: str) -> None:
        self.count += 1
        if self.count <= MAX_TOLD:
            self._told.append(f"{place}: {fault}")

    def __str__(self) -> str:
        counted = "1 fault" if self.count == 1 else f"{self.count} faults"
        more = [f"and {self.count - MAX_TOLD} more"] if self.count > MAX_TOLD else []
        return "\n  ".join([f"{self.path}: {counted}; nothing was read", *self._told, *more])


def raise_faults(found: Sequence[Faults]) -> None:
    """Raises SourceError that tells the faults of all files, if there are any."""
    if faulty := [str(faults) for faults in found if faults.count]:
        raise SourceError("\n".join(faulty))


def read_rows(path: str, faults: Faults) -> Iterator[Row]:
    """Yield (place, fields) of every row that is an object; a place is `path:line`. Raises ReadError."""
    for number, line in enumerate(read_byte_lines(path, MAX_ROW_BYTES), 1):
        place = f"{path}:{number}"
        text = line.removeprefix(_MARK) if number == 1 else line
        other = next((what for start, what in _OTHER_FILES.items() if text.startswith(start)), None)
        if number == 1 and other:
            faults.add(path, f"the file is {other}")
            return
        if text.strip():
            try:
                yield place, _object(text)
            except ValueError as error:
                faults.add(place, str(error))


def _object(line: bytes) -> Fields:
    """Raises ValueError that says what is wrong, what was found and the remedy."""
    if len(line) > MAX_ROW_BYTES:
        raise ValueError(f"a row of more than {MAX_ROW_BYTES:,} bytes; one problem a line is expected")
    try:
        fields = json.loads(line.decode(), parse_float=Decimal, parse_constant=_refused, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"not UTF-8: byte 0x{line[error.start]:02x} at {error.start + 1}; save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1}; one object a line is expected") from None
    except RecursionError:
        raise ValueError("objects within objects without end; text and numbers are expected") from None
    if not isinstance(fields, dict):
        raise ValueError(f"found {type(fields).__name__}; one object a line is expected")
    return fields


def _once(pairs: list[tuple[str, object]]) -> Fields:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice}: stands there twice; keep one")
    return fields


def _refused(constant: str) -> object:
    raise ValueError(f"found {constant}, which is not JSON; write a number")
