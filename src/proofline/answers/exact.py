r"""Are two answers equal? By exact arithmetic and evaluation, without SymPy: the equivalence of votes, and the second
grader's.

Two texts in, a verdict with its reason out. Texts that are spelled alike are equal. Values of one kind are compared
part by part: tuples in order, lists in any, decimal numbers of six digits and more as roundings (`0.333333` is a
third). What cannot be read, or is of another kind in a way that leaves a doubt, is unparsed.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from fractions import Fraction

from proofline.answers import numbers as n
from proofline.answers.clock import compare_colons
from proofline.answers.doubt import doubt
from proofline.answers.numbers import Number, Unreadable
from proofline.answers.spelling import clean
from proofline.answers.units import compare_bases, same_unit
from proofline.answers.value import Group, Relation, Term, Value, Words, read_value
from proofline.records import Verdict

_WHOLE = re.compile(r"0|-?[1-9]\d{0,30}")
_LOOSE = re.compile(r"\\(?:left|right)(?![a-zA-Z])|(?<![\\\d])\\[,;:! ]|(?<!\\)\\[,;:! ](?!\d)|(?<!\d)\s+|\s+(?!\d)|\$")
POINTS = 3
"""At how many points expressions are compared; the first is positive, the second negative."""
ROUNDED_DIGITS = 6
"""A decimal number of so many digits may be the rounding of another number."""
Outcome = tuple[Verdict, str]


def compare_exactly(answer: str, reference: str) -> Outcome:
    """Verdict and reason for an answer, both as `spelling.clean` leaves them."""
    if _WHOLE.fullmatch(answer) and _WHOLE.fullmatch(reference):
        same = answer == reference
        return ("correct", "the same number") if same else ("wrong", "another number")
    if answer == reference or _LOOSE.sub("", answer) == _LOOSE.sub("", reference):
        return "correct", "the same spelling"
    if verdict := compare_colons(answer, reference):
        return verdict, "compared as times or ratios"
    if reason := doubt(answer, reference):
        return "unparsed", reason
    if verdict := compare_bases(answer, reference):
        return verdict, "compared as numbers with a base"
    try:
        same_value = _same(read_value(answer), read_value(reference))
    except Unreadable as error:
        return "unparsed", f"not read: {error}"
    except (RecursionError, ArithmeticError, ValueError) as error:
        return "unparsed", f"not computed: {type(error).__name__}"
    return ("correct", "the same value") if same_value else ("wrong", "another value")


@functools.lru_cache(maxsize=65536)
def equivalent(answer: str, other: str) -> bool:
    """Are two answers one vote? Those that nobody can compare are, where they are spelled alike."""
    one, two = clean(answer), clean(other)
    return "correct" in (compare_exactly(one, two)[0], compare_exactly(two, one)[0])


def differs(answer: str, other: str) -> bool:
    """Do two answers say different things for certain?"""
    return compare_exactly(answer, other)[0] == "wrong"


def _same(mine: Value, theirs: Value) -> bool:
    if isinstance(mine, Relation) and mine.name and not isinstance(theirs, Relation):
        return _same(mine.right, theirs)
    if isinstance(theirs, Relation) and theirs.name and not isinstance(mine, Relation):
        return _same(mine, theirs.right)
    if isinstance(mine, Relation) and isinstance(theirs, Relation):
        return _same_relation(mine, theirs)
    if isinstance(mine, Group) and isinstance(theirs, Group):
        return _same_group(mine, theirs)
    if isinstance(mine, Words) or isinstance(theirs, Words):
        return _same_words(mine, theirs)
    if isinstance(mine, Term) and isinstance(theirs, Term):
        return _same_term(mine, theirs)
    group = mine if isinstance(mine, Group) else theirs
    if isinstance(group, Group) and (group.kind in ("matrix", "union") or len(group.items) > 1):
        if Relation in (type(mine), type(theirs)):
            raise Unreadable("a relation beside several values")
        return False
    if isinstance(group, Group):
        return _same(group.items[0], theirs if group is mine else mine)
    raise Unreadable("values of different kinds")


def _same_words(mine: Value, theirs: Value) -> bool:
    if isinstance(mine, Words) and isinstance(theirs, Words):
        return mine.text == theirs.text
    words, other = (mine, theirs) if isinstance(mine, Words) else (theirs, mine)
    if isinstance(words, Words) and isinstance(other, Term) and other.names == {words.text.upper()}:
        return True
    raise Unreadable("words beside mathematics")


def _same_relation(mine: Relation, theirs: Relation) -> bool:
    if mine.sign != theirs.sign:
        return False
    if mine.sign == "=":
        if mine.name and mine.name == theirs.name:
            return _same(mine.right, theirs.right)
        if isinstance(mine.right, Group) or isinstance(theirs.right, Group):
            raise Unreadable("relations of several values")
        return _proportional(_sides(mine), _sides(theirs))
    if mine.sign == "≠" and _same(mine.left, theirs.right) and _same(mine.right, theirs.left):
        return True
    return _same(mine.left, theirs.left) and _same(mine.right, theirs.right)


def _sides(relation: Relation) -> tuple[Term, Term]:
    left = read_value(relation.name) if relation.name else relation.left
    if not isinstance(left, Term) or not isinstance(relation.right, Term):
        raise Unreadable("a relation between other things than numbers")
    return left, relation.right


def _proportional(mine: tuple[Term, Term], theirs: tuple[Term, Term]) -> bool:
    """Is left minus right the same up to a factor: do two equations hold at the same points?"""
    names = frozenset[str]().union(*(term.names for term in (*mine, *theirs)))
    factors: list[Number] = []
    for index in range(POINTS):
        point = point_of(names, index)
        a, b = (n.subtract(left.function(point), right.function(point)) for left, right in (mine, theirs))
        if a == 0 or b == 0:
            raise Unreadable("an equation that holds where it is tried")
        factors.append(n.divide(a, b))
    return all(n.equal(factor, factors[0]) for factor in factors)


def _same_group(mine: Group, theirs: Group) -> bool:
    free = {"list", "union"}
    if mine.kind != theirs.kind:
        return _same_kinds(mine, theirs)
    if mine.kind in free:
        return _same_in_any_order(mine.items, theirs.items)
    return len(mine.items) == len(theirs.items) and _all_same(mine.items, theirs.items)


def _same_kinds(mine: Group, theirs: Group) -> bool:
    """A list and a tuple are the same where the order is too, and nobody knows whether where it is not."""
    if "list" not in (mine.kind, theirs.kind) or {"matrix", "union"} & {mine.kind, theirs.kind}:
        if {mine.kind, theirs.kind} == {"matrix", "round"}:
            raise Unreadable("a matrix beside a tuple")
        return False
    other = theirs if mine.kind == "list" else mine
    if len(mine.items) == len(theirs.items) and _all_same(mine.items, theirs.items):
        return True
    if other.kind == "round" and _same_in_any_order(mine.items, theirs.items):
        raise Unreadable("a list in another order than a tuple")
    return False


def _all_same(mine: Sequence[Value], theirs: Sequence[Value]) -> bool:
    parts = [_same(a, b) for a, b in zip(mine, theirs, strict=True)]  # every one is read before any decides
    return all(parts)


def _same_in_any_order(mine: Sequence[Value], theirs: Sequence[Value]) -> bool:
    """As sets, in which what stands twice counts once; but nobody knows whether it may be left out."""
    same = all(any(_same(a, b) for b in theirs) for a in mine) and all(any(_same(a, b) for a in mine) for b in theirs)
    if same and len(mine) != len(theirs):
        raise Unreadable("a value that stands twice, beside once")
    return same


def _same_term(mine: Term, theirs: Term) -> bool:
    same = all(_same_at(mine, theirs, point_of(mine.names | theirs.names, i)) for i in range(POINTS))
    if same and mine.unit and theirs.unit and not same_unit(mine.unit, theirs.unit):
        raise Unreadable(f"'{mine.unit}' beside '{theirs.unit}'")
    return same


def _same_at(mine: Term, theirs: Term, point: dict[str, Number]) -> bool:
    a, b = mine.function(point), theirs.function(point)
    return n.equal(a, b) or _rounded(a, b, mine, theirs)


def _rounded(a: Number, b: Number, mine: Term, theirs: Term) -> bool:
    """Is the coarser of two decimal numbers, or the only one, the other rounded?"""
    written = [term.decimals for term in (mine, theirs) if term.decimals]
    if not written or mine.names | theirs.names:
        return False
    decimals, significant = min(written)
    if min(decimals, significant) < ROUNDED_DIGITS or not isinstance(abs(n.lift(a)), type(n.lift(b))):
        return False
    return bool(abs(n.lift(a) - n.lift(b)) * 2 * 10**decimals <= 1 + n.lift(Fraction(1, 10**6)))


@functools.lru_cache(maxsize=256)
def _coordinate(name: str, index: int) -> Fraction:
    drawn = int.from_bytes(hashlib.sha256(f"{name} {index}".encode()).digest()[:4])
    return (-1 if index % 2 else 1) * Fraction(drawn % 89 + 7, drawn // 89 % 37 + 11)


def point_of(names: frozenset[str], index: int) -> dict[str, Number]:
    """The values of the unknowns at a point: by their names, so that the same ones are equal in two expressions."""
    return {name: _coordinate(name, index) for name in names}
