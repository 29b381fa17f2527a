r"""Answer against reference by math-verify. Two texts in, a verdict with its reason out. Torch-free.

math-verify turns both into SymPy expressions and asks whether they are equal; the reference goes first, since the
comparison is not symmetric. Its own time-outs are off: they use SIGALRM, which works only in a process's main thread,
and they report a time-out as "not equal". `pool.py` runs this module in processes and ends those that hang.

Departures from math-verify's defaults: times, ratios and what no parser should guess at are settled before it is
asked (`answers.clock`, `answers.doubt`). Where it calls two numbers equal that are apart, they differ (`apart.py`): it
rounds to 6 decimals and cuts off what is small, so that 1/91! and 1/93! are one to it. Only LaTeX is parsed (its
plain-number fallback reads the matrix `\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}.` as the number -1), and an
answer that it cannot parse is unparsed unless it is the reference's own text, for nobody has compared the values.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from proofline.answers import quote
from proofline.answers.clock import compare_colons
from proofline.answers.doubt import doubt
from proofline.answers.exact import Outcome
from proofline.answers.spelling import alternatives
from proofline.answers.units import compare_bases
from proofline.grading.apart import apart
from proofline.grading.second import any_of
from proofline.records import Verdict

_LETTER = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])")
_TEXT = re.compile(r"\\(?:text|mbox|mathrm|begin|end)\s*\{[^{}]*\}")
_ROUNDED = re.compile(r"\.\d{6}")
_INTEGER = re.compile(r"0|-?[1-9]\d{0,14}")


def compare_integers(answer: str, reference: str) -> Verdict | None:
    """The verdict where both are plain integers (math-verify's own, a property test says), else None."""
    if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(reference):
        return "correct" if answer == reference else "wrong"
    return None


def compare_plainly(answer: str, reference: str) -> Verdict | None:
    """The verdict where it needs no parser: the same text, or two plain integers."""
    return "correct" if answer == reference else compare_integers(answer, reference)


def compare(answer: str, reference: str) -> Outcome:
    """Verdict and reason for an answer, both as `answers.clean` leaves them. May run for ever: see `pool.py`."""
    return any_of([_compare(answer, one) for one in alternatives(reference)])


def _compare(answer: str, reference: str) -> Outcome:
    verdict = compare_plainly(answer, reference)
    verdict = verdict or compare_colons(answer, reference)
    if verdict is None:
        if why := doubt(answer, reference):
            return "unparsed", f"{why}: not compared with the reference {quote(reference)}"
        verdict = compare_bases(answer, reference) or _by_math_verify(answer, reference)
    return verdict, state(verdict, reference)


def _by_math_verify(answer: str, reference: str) -> Verdict:
    units = not _letters(reference) & _letters(answer)
    gold, value = _parse(reference, units), _parse(answer, units)
    if gold is None or value is None:
        return "unparsed"
    rounded = bool(_ROUNDED.search(answer) or _ROUNDED.search(reference))
    return "correct" if _equal(gold, value) and not apart(gold, value, rounded) else "wrong"


def state(verdict: Verdict, reference: str) -> str:
    """The reason of a verdict that comes from comparing the values."""
    said = {"correct": "equals", "wrong": "differs from", "unparsed": "cannot be compared with"}
    return f"{said[verdict]} the reference {quote(reference)}"


def warm_up() -> None:
    """Import math-verify and run it once, so that the first comparison is not charged for it."""
    compare(r"\frac{1}{2}", "0.5")


def _letters(answer: str) -> set[str]:
    """Letters that stand alone outside of text and commands. Those that both sides have are unknowns, not units."""
    return set(_LETTER.findall(_TEXT.sub("", answer)))


@functools.lru_cache(maxsize=4096)
def _parse(answer: str, units: bool = True) -> Any | None:
    """SymPy's expression, without what may be a unit or else with it. None where math-verify has none or an undefined
    one (`05:00` is a division by zero).
    """
    parse, _, readings, undefined = _math_verify()
    for reading in readings if units else readings[::-1]:
        parsed = parse(f"${answer}$", [reading], fallback_mode="no_fallback", parsing_timeout=0)
        if parsed and not (hasattr(parsed[0], "has") and parsed[0].has(*undefined)):
            return parsed[0]
    return None


def _equal(gold: Any, value: Any) -> bool:
    _, verify, _, _ = _math_verify()
    return bool(verify(gold, value, timeout_seconds=0))


@functools.cache
def _math_verify() -> tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]:
    """parse, verify, the two ways to read LaTeX, and SymPy's undefined values; imported late, for it takes 0.7 s."""
    import sympy
    from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # warns once that its time-outs are off
    usual = LatexExtractionConfig()
    # Dropping units is right for `5 cm` and mangles `a + b + c` and `2s`, so a second reading keeps them.
    with_units = LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
        )
    )
    return parse, verify, (usual, with_units), (sympy.nan, sympy.zoo)
