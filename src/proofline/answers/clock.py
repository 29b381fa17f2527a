"""Times and ratios: `2:40`, `8:34 p.m.`, `3:4`. Two texts in; whether they say the same out.

`2:40` is a time where its minutes have two digits below 60, and then not the ratio 1:15; `3:4`, `19:60` and `1:2:3`
are ratios, of which multiples are equal. Where one of two may be a time and the other cannot, nobody knows what the
first is; nor whether `5:00` will do where `05:00` is asked for.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from proofline.records import Verdict

_WRAPPING = re.compile(r"\\(?:text|mbox|mathrm|textbf)\s*\{([^{}]*)\}|[${}~]|\\[,;:! ]")
_COLONS = re.compile(r"(\d+(?:\.\d+)?)((?:\s*:\s*\d+(?:\.\d+)?)+)\s*(?P<half>[ap]\.?\s?m\b\.?)?", re.IGNORECASE)
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?")


class Colons(NamedTuple):
    """Numbers with colons between them."""

    parts: tuple[Fraction, ...]
    time: bool
    """Can it be a time?"""
    padded: bool
    """Is the hour written `05`?"""
    half: str
    """`am`, `pm` or ''."""

    @property
    def seconds(self) -> Fraction:
        hour, *rest = self.parts
        if self.half:
            hour = hour % 12 + (12 if self.half == "pm" else 0)
        return sum((part * scale for part, scale in zip((hour, *rest), (3600, 60, 1), strict=False)), Fraction(0))


def read_colons(answer: str) -> Colons | None:
    """The numbers of a time or ratio; None for any other text."""
    plain = " ".join(_WRAPPING.sub(lambda match: match[1] or "", answer).split()).rstrip(", ")
    match = _COLONS.fullmatch(plain)
    if match is None:
        return None
    digits = re.sub(r"\s", "", match[1] + match[2])
    time = _TIME.fullmatch(digits)
    half = re.sub(r"[^apm]", "", (match["half"] or "").lower())
    is_time = bool(time) and Fraction(digits.split(":")[0]) <= 24
    return Colons(tuple(map(Fraction, digits.split(":"))), is_time, digits[0] == "0" and is_time, half)


def compare_colons(answer: str, reference: str) -> Verdict | None:
    """The verdict where either is a time or a ratio; None where neither is."""
    if ":" not in answer and ":" not in reference:
        return None
    mine, theirs = read_colons(answer), read_colons(reference)
    if mine is None and theirs is None:
        return None
    if mine is None or theirs is None:
        colons = mine or theirs
        return "unparsed" if colons and (colons.time or len(colons.parts) > 2) else None
    if mine.time and theirs.time:
        return _same_time(mine, theirs)
    if len(mine.parts) != len(theirs.parts) or not (any(mine.parts) and any(theirs.parts)):
        return "wrong"
    couples = list(zip(mine.parts, theirs.parts, strict=True))
    equal = all(a * theirs.parts[0] == b * mine.parts[0] for a, b in couples) and bool(mine.parts[0] or theirs.parts[0])
    if equal and mine.time != theirs.time and mine.parts != theirs.parts:
        return "unparsed"
    return "correct" if equal else "wrong"


def _same_time(mine: Colons, theirs: Colons) -> Verdict:
    known = mine.half and theirs.half
    same = mine.seconds == theirs.seconds or (not known and mine.parts == theirs.parts)
    if not same:
        return "wrong"
    return "correct" if mine.padded == theirs.padded or (mine.half or theirs.half) else "unparsed"
