r"""Answer against reference by math-verify. Two texts in, a verdict with its reason out. Torch-free.

math-verify turns both into SymPy expressions and asks whether they are equal; the reference goes first, since the
comparison is not symmetric. Its own time-outs are off: they use SIGALRM, which works only in a process's main thread,
and they report a time-out as "not equal". `pool.py` runs this module in processes and ends those that hang.

Departures from math-verify's defaults: only LaTeX is parsed (its plain-number fallback reads the matrix
`\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}.` as the number -1), and what it cannot parse is compared as text,
where equal is correct and different is unparsed, for nobody has compared the values.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from proofline.answers import quote
from proofline.records import Verdict

_INTEGER = re.compile(r"0|-?[1-9]\d{0,14}")


def compare_integers(answer: str, reference: str) -> Verdict | None:
    """The verdict where both are plain integers (math-verify's own, a property test says), else None."""
    if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(reference):
        return "correct" if answer == reference else "wrong"
    return None


def compare(answer: str, reference: str) -> tuple[Verdict, str]:
    """Verdict and reason for an answer, both as `answers.clean` leaves them. May run for ever: see `pool.py`."""
    verdict = compare_integers(answer, reference)
    if verdict is None:
        gold, value = _parse(reference), _parse(answer)
        if gold is None or value is None:
            unread = "the answer" if gold is not None else "the reference"
            if answer == reference:
                return "correct", f"the same text as the reference (math-verify cannot parse {unread})"
            return "unparsed", f"math-verify cannot parse {unread}, and the texts differ"
        verdict = "correct" if _equal(gold, value) else "wrong"
    return verdict, state(verdict, reference)


def state(verdict: Verdict, reference: str) -> str:
    """The reason of a verdict that comes from comparing the values."""
    return f"{'equals' if verdict == 'correct' else 'differs from'} the reference {quote(reference)}"


def warm_up() -> None:
    """Import math-verify and run it once, so that the first comparison is not charged for it."""
    compare(r"\frac{1}{2}", "0.5")


@functools.lru_cache(maxsize=4096)
def _parse(answer: str) -> Any | None:
    """SymPy's expression, or None where math-verify has none or an undefined one (`05:00` is a division by zero)."""
    parse, _, readings, undefined = _math_verify()
    for reading in readings:
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
    # Dropping units is right for `5 cm` and mangles `a + b + c`, so a second reading keeps them.
    with_units = LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
        )
    )
    return parse, verify, (usual, with_units), (sympy.nan, sympy.zoo)
