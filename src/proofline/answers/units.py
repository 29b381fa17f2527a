r"""Units and number bases: what stands beside a number and decides which number it is. Two texts in.

`5 \text{ feet}` is not `5 \text{ miles}` and `60 \text{ inches}` may be the first: different units have no verdict, a
missing unit is no fault. `776_8` is not `776_6`; a missing base is for the graders.
"""

from __future__ import annotations

import re

from proofline.answers.latex import TEXT, words_of
from proofline.records import Verdict

_MEASURED = re.compile(rf"(?P<number>.*\d.*?|.*\}})\s*{TEXT.pattern}\s*\.?", re.DOTALL)
_BASED = re.compile(r"\(?([0-9A-Za-z]+)\)?_\{?\s*(\d+)\s*\}?")
_POWERS = {"2": "square", "3": "cubic"}
_SHORT = {
    "cm": "centimeter", "mm": "millimeter", "km": "kilometer", "m": "meter", "ft": "foot", "feet": "foot", "in": "inch",
    "mi": "mile", "yd": "yard", "hr": "hour", "h": "hour", "min": "minute", "sec": "second", "s": "second",
    "sq": "square", "cu": "cubic", "lb": "pound", "kg": "kilogram", "g": "gram", "oz": "ounce", "l": "liter",
    "ml": "milliliter",
    "meters": "meter", "metre": "meter", "litre": "liter", "usd": "dollar", "inches": "inch", "people": "person",
}  # fmt: skip


def unit_of(answer: str) -> str:
    r"""The words of `\text{}` behind a number; '' where there are none."""
    match = _MEASURED.fullmatch(answer.strip())
    if match is None or TEXT.search(match["number"]):
        return ""
    return f"{words_of(match[2])} {_POWERS.get((match[3] or '').strip('^{}'), '')}".strip()


def same_unit(mine: str, theirs: str) -> bool:
    """One unit, in the singular or plural, whole or shortened, alone or among words (`sq units`, `square units`)."""
    short, long = sorted(([_long(word) for word in re.findall(r"[a-z]+", unit)] for unit in (mine, theirs)), key=len)
    return set(short) <= set(long)


def other_unit(answer: str, reference: str) -> bool:
    """Do both have a unit, and not the same?"""
    mine, theirs = unit_of(answer), unit_of(reference)
    return bool(mine and theirs) and not same_unit(mine, theirs)


def compare_bases(answer: str, reference: str) -> Verdict | None:
    """The verdict where the answer says its base; None where it does not."""
    mine, theirs = _BASED.fullmatch(answer), _BASED.fullmatch(reference)
    if mine is None:
        return None
    if theirs is not None and mine[2] == theirs[2]:
        return "correct" if mine[1].upper() == theirs[1].upper() else "wrong"
    value = _value(mine[1], int(mine[2]))
    if theirs is None:
        return None if not reference.isdigit() else "wrong" if value != int(reference) else "unparsed"
    return "wrong" if value is None or value != _value(theirs[1], int(theirs[2])) else "unparsed"


def _long(word: str) -> str:
    return _SHORT.get(word) or _SHORT.get(word.removesuffix("s")) or (word.removesuffix("s") if len(word) > 3 else word)


def _value(digits: str, base: int) -> int | None:
    """The number, None where a digit is too large for its base."""
    try:
        return int(digits, base) if 2 <= base <= 36 else None
    except ValueError:
        return None
