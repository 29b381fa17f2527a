"""What a row of records decides, apart from what may differ between two machines: the one place that tells them apart.

Three kinds of fields, told by `records.py` itself:

- *measured*: a float, or a tuple of floats (`logprob`, `p_yes`). Its last digits depend on the processor. Where it is
  undefined (NaN) is a decision all the same, and so is how many there are.
- *derived*: hashes that change with the weights' bytes though nothing else does: `id`, `weights`, and every `*_id` but
  `problem_id`, which is a hash of the question; in the rows that a row holds (`chosen_from`) too.
- all others are *decisions*: texts, verdicts, labels, seeds, reasons, rules, and the recipe's numbers in `decoding`.

In: a JSON Lines file. Out: `Rows`, with four bytes of SHA-256 per row over the canonical JSON of its decisions, and the
measured values as 32-bit floats. Rows that are no record of ours are decisions as a whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Any, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict

from proofline.records import Record

DIGEST_BYTES = 4


class Rows(BaseModel):
    """The rows of one file, in short."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    kind: str | None
    """Name of the record; None for rows of another make, or where there are none."""
    decisions: str
    """Base64 of one digest a row."""
    measured: dict[str, str]
    """Base64 of little-endian 32-bit floats, row after row, by field."""
    served: bool = False
    """Did a server write some of them? Nothing promises that it does so again."""

    @property
    def digests(self) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.decisions), dtype="<u4")

    def values(self, field: str) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.measured[field]), dtype="<f4").astype(float)


@cache
def measured_fields(kind: type[Record]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(name for name in kind.model_fields if hints[name] in (float, tuple[float, ...]))


def is_derived(name: str) -> bool:
    return name in ("id", "weights") or (name.endswith("_id") and name != "problem_id")


def kind_of(row: dict[str, Any]) -> type[Record] | None:
    """The record whose fields these are; no two records have the same ones."""
    found = [kind for kind in Record.__subclasses__() if set(kind.model_fields) == set(row)]
    return found[0] if found else None


def summarise(lines: Iterable[str]) -> Rows:
    """Digests and measured values of JSON Lines."""
    digests, measured, kind, served = bytearray(), dict[str, list[float]](), None, False
    for line in lines:
        row = json.loads(line)
        served = served or _served(row)
        kind = kind_of(row) if isinstance(row, dict) else None
        if kind is not None:
            for name in measured_fields(kind):
                numbers = _numbers(row[name])
                measured.setdefault(name, []).extend(numbers)
                row[name] = [not math.isnan(number) for number in numbers]
            row = _underived(row)
        canonical = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digests += hashlib.sha256(canonical.encode()).digest()[:DIGEST_BYTES]
    packed = {name: _base64(np.array(values, dtype="<f4").tobytes()) for name, values in measured.items()}
    return Rows(
        count=len(digests) // DIGEST_BYTES,
        kind=kind and kind.__name__,
        decisions=_base64(bytes(digests)),
        measured=packed,
        served=served,
    )


def _served(row: Any) -> bool:
    """A solution or judgement names the server that wrote it; a trace, that its chain is a teacher's."""
    return isinstance(row, dict) and (bool(row.get("server")) or row.get("origin") == "endpoint")


def _underived(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _underived(part) for name, part in value.items() if not is_derived(name)}
    return value


def _numbers(value: Any) -> list[float]:
    """One number or several, undefined ones spelled as text or null."""
    return [math.nan if one is None else float(one) for one in (value if isinstance(value, list) else [value])]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
