"""A row of a user's file -> a problem and how it is demonstrated, or all that is wrong with it.

Fields have our names; the recipe's `fields` translates. Needed are `question`, and `answer` or `solution`; `id`,
`level`, `family` and `split` may be there; others are passed over, but for those that the recipe's `demonstration`
names. null is no field at all; an empty text is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from proofline.answers import equivalent, quote, read_answer
from proofline.config.own import Own
from proofline.data.equations import find_equations
from proofline.data.own_answers import AnswerError, number_text, solved
from proofline.data.own_lines import Faults
from proofline.data.published import Fields, Row
from proofline.data.wording import skeleton
from proofline.records import SPLITS, Problem, Split

FAMILIES = {"number": "word", "expression": "math"}
"""Of a row that names none."""
_SPLITS: Mapping[str, Split] = {**{split: split for split in SPLITS}, "validation": "dev"}
_ID = re.compile(r"[\w.:/-]{1,64}")
_FAMILY = re.compile(r"[a-zA-Z0-9][\w.-]{0,31}", re.ASCII)
_MAX_LEVEL = 1000
_PLACE = re.compile(r"(?<![A-Za-z}])\{([A-Za-z_]\w*)\}")
"""A field in a template; the argument of `\\boxed{…}` is none."""


class TemplateError(ValueError):
    """A template that does not fit a row."""


@dataclass(frozen=True)
class OwnRow:
    """What a row says."""

    place: str
    problem: Problem
    id_given: bool
    split_given: bool
    """False: the problem's split is still to be made."""
    solved: bool
    """It came with a solution."""
    templated: str | None
    """Its demonstration by the template, where it came with none and there is a true one."""


def own_row(row: Row, source: str, section: Own, split: Split | None, faults: Faults) -> OwnRow | None:
    """The row, where nothing is wrong with it. `split`: that of the whole file."""
    place, fields = row
    told = faults.count
    values = _values(fields, section, lambda fault: faults.add(place, fault))
    if split is not None and values.get("split", split) != split:
        faults.add(place, f"split: found {values['split']!r} in a file of which the recipe says {split}; correct one")
    if faults.count > told:
        return None
    question, solution = values["question"], values.get("solution")
    split = split or values.get("split")
    try:
        answer, stating = solved(values.get("answer"), solution, section.answers)
        templated = None
        if solution is None and section.demonstration is not None and split in ("train", None):
            templated = _filled(section.demonstration, {**fields, "question": question, "answer": answer}, answer)
    except AnswerError as error:
        faults.add(place, f"{'answer' if solution is None else 'solution'}: {error}")
        return None
    except TemplateError as error:
        faults.add(place, str(error))
        return None
    problem = Problem(
        id=f"{source}-{values['id']}" if "id" in values else Problem.make_id(source, question),
        source=source,
        family=values.get("family", FAMILIES[section.answers]),
        split=split or "train",
        question=question,
        solution=stating,
        answer=answer,
        level=values.get("level", 0),
        skeleton=skeleton(question),
    )
    return OwnRow(place, problem, "id" in values, split is not None, solution is not None, templated)


def _values(fields: Fields, section: Own, fault: Callable[[str], None]) -> dict[str, Any]:
    """The fields that are there by our names, each of its type; faults are told."""
    names = _theirs(section)
    present = {ours: fields[name] for ours, name in names.items() if fields.get(name) is not None}
    values = {}
    for ours, value in present.items():
        try:
            values[ours] = READERS[ours](value)
        except ValueError as error:
            fault(f"{names[ours]}: {error}")
    if "question" not in present:
        fault(_missing(names, fields, "question"))
    if "answer" not in present and "solution" not in present:
        fault(_missing(names, fields, "answer", "solution"))
    return values


def _theirs(section: Own) -> dict[str, str]:
    """What the files call each of our fields; those that are not read are left out. A field of theirs that is named
    for one of ours is no other of ours."""
    taken = set(section.fields.values())
    given = {str(ours): name for ours, name in section.fields.items()}
    names = {ours: given.get(ours, None if ours in taken else ours) for ours in READERS}
    return {ours: name for ours, name in names.items() if name is not None}


def _missing(names: Mapping[str, str], fields: Fields, *wanted: str) -> str:
    called = " or ".join(names.get(name, name) for name in wanted)
    known = ", ".join(sorted(fields)) or "no fields"
    return f"no {called}; the row has {known}. The recipe's fields say what a file calls it"


def _filled(template: str, texts: Fields, answer: str) -> str | None:
    """The template's demonstration; None where it states a false equation, which would be taught. Raises
    TemplateError."""

    def put(match: re.Match[str]) -> str:
        value = texts.get(match[1])
        try:
            return _written(value)
        except ValueError as error:
            found = error if match[1] in texts else "no such field"
            raise TemplateError(f"{match[1]}, which the recipe's demonstration names: {found}") from None

    filled = _PLACE.sub(put, template)
    read = read_answer(filled)
    if not equivalent(read.answer or "", answer):
        raise TemplateError(
            f"demonstration: {quote(filled)} is read as {read.answer!r} ({read.reason}), not as the answer "
            f"{quote(answer)}; end the template in `#### {{answer}}` or \\boxed{{{{answer}}}}"
        )
    return filled if all(equation.holds for equation in find_equations(filled)) else None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"found {_shown(value)}; text is expected")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate); write the file anew as UTF-8") from None
    return value.strip()


def _written(value: object) -> str:
    """Text, or a number as text."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return number_text(value)
    try:
        return _text(value)
    except ValueError as error:
        raise ValueError(str(error).replace("text is", "text or a number is")) from None


def _id(value: object) -> str:
    written = _written(value)
    if not _ID.fullmatch(written):
        raise ValueError(f"found {quote(written)}; at most 64 letters, digits and . _ : / - are expected")
    return written


def _level(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_LEVEL:
        raise ValueError(
            f"found {_shown(value)}; a whole number from 0 to {_MAX_LEVEL} is expected, or level: null in the "
            "recipe's fields"
        )
    return value


def _family(value: object) -> str:
    if not _FAMILY.fullmatch(written := _text(value)):
        raise ValueError(f"found {quote(written)}; at most 32 letters, digits and . _ - are expected")
    return written


def _split(value: object) -> Split:
    if (written := _text(value)) not in _SPLITS:
        raise ValueError(f"found {quote(written)}; train, dev (or validation) or test is expected")
    return _SPLITS[written]


def _shown(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else quote(str(value))


READERS: Mapping[str, Callable[[object], Any]] = {
    "question": _text, "answer": _written, "solution": _text, "id": _id, "level": _level, "family": _family,
    "split": _split,
}  # fmt: skip
