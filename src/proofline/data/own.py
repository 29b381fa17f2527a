"""A user's own problems: the files that the recipe names -> problems with their splits, and their demonstrations.

Nothing is read by halves: everything wrong with the files is told at once. Across rows, an id stands once, and no
question is in two splits. A question that stands there with two answers has none: its rows lose theirs, and curation
drops and counts them. Where no split is given, problems that are kin go to test or train together, as the hash of
their cluster says: a new problem moves no other, but for those that it connects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from proofline.answers import equivalent
from proofline.config.own import Own, OwnFile
from proofline.data.kinship import grouped
from proofline.data.own_lines import Faults, raise_faults, read_rows
from proofline.data.own_rows import OwnRow, own_row
from proofline.data.subset import drawn
from proofline.data.wording import wording
from proofline.records import Problem
from proofline.storage.remote import sha256

Locate = Callable[[str], str]
"""A path of the recipe -> where the file lies. Raises where there is none."""


@dataclass(frozen=True)
class Brought:
    """A source's problems."""

    problems: list[Problem]
    demonstrations: Mapping[str, str | None]
    """By the id of a problem that came without a solution: the template's, or None where it has none."""


def load_own(source: str, section: Own, locate: Locate) -> Brought:
    """Read a source. Raises SourceError with all faults of its files; ReadError, TableError for what cannot be read."""
    found: list[Faults] = []
    rows: list[OwnRow] = []
    for number, file in enumerate(section.files):
        faults = Faults(locate(file.path))
        found.append(faults)
        rows += _read(file, f"prepare.own.{source}.files[{number}]", source, section, faults)
    across = Faults(f"prepare.own.{source}")
    _check_ids(rows, across)
    _check_splits(rows, across)
    raise_faults([*found, across])
    rows = _without_contradictions(rows)
    kept = {row.problem.id: row for row in reversed(rows)}  # of equal questions curation keeps the first
    demonstrations = {key: row.templated for key, row in kept.items() if not row.solved}
    return Brought(_with_splits(rows, section.test_fraction), demonstrations)


def _read(file: OwnFile, key: str, source: str, section: Own, faults: Faults) -> list[OwnRow]:
    path = faults.path
    if (digest := sha256(path)) != file.sha256:
        faults.add(
            path, f"sha256 is {digest}, found {file.sha256!r} in the recipe; if this file is meant, set {key}.sha256"
        )
    rows, names, told = [], set[str](), faults.count
    for row in read_rows(path, faults):
        names |= row[1].keys()
        rows.append(own_row(row, source, section, file.split, faults))
    if not rows and faults.count == told:
        faults.add(path, "no rows; one JSON object a line is expected")
    for ours, name in section.fields.items():
        if rows and name is not None and name not in names:
            faults.add(
                path, f"no row has {name!r}, which prepare.own.{source}.fields.{ours} names; correct or remove it"
            )
    return [row for row in rows if row is not None]


def _check_ids(rows: Sequence[OwnRow], faults: Faults) -> None:
    """Ids that two rows have. Those that are made of the question are curation's matter."""
    first: dict[str, OwnRow] = {}
    for row in (row for row in rows if row.id_given):
        other = first.setdefault(row.problem.id, row)
        if other is not row:
            faults.add(
                row.place, f"id: {row.problem.id} is that of {other.place} too; give each problem its own, or none"
            )


def _check_splits(rows: Sequence[OwnRow], faults: Faults) -> None:
    first: dict[str, OwnRow] = {}
    for row in (row for row in rows if row.split_given):
        other = first.setdefault(wording(row.problem.question), row)
        if other.problem.split != row.problem.split:
            faults.add(
                row.place,
                f"question: in {row.problem.split}, and at {other.place} in {other.problem.split}; keep it in one",
            )


def _without_contradictions(rows: Sequence[OwnRow]) -> list[OwnRow]:
    """The rows, those of a question with two answers without any."""
    asked: dict[str, list[OwnRow]] = defaultdict(list)
    for row in rows:
        asked[wording(row.problem.question)].append(row)
    contradicted = {
        question
        for question, same in asked.items()
        if not all(equivalent(same[0].problem.answer, row.problem.answer) for row in same[1:])
    }
    return [
        replace(row, problem=row.problem.model_copy(update={"answer": ""}))
        if wording(row.problem.question) in contradicted
        else row
        for row in rows
    ]


def _with_splits(rows: Sequence[OwnRow], test_fraction: float) -> list[Problem]:
    """The problems, a split made where none was given."""
    unsplit = [row.problem for row in rows if not row.split_given]
    in_test = {problem.id for problem in grouped(unsplit) if drawn(f"test {problem.cluster}", test_fraction)}
    return [
        row.problem.model_copy(update={"split": "test"})
        if not row.split_given and row.problem.id in in_test
        else row.problem
        for row in rows
    ]
