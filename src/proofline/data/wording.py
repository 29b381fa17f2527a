"""When are two questions the same? Wording, skeleton, and the words on which their parts are compared."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from proofline.records import stable_id

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_FILLER = re.compile(r"[\s.,;:!?'\"“”$]+")
_MATHS_MODE = re.compile(r"\$[^$]*\$")
_MARKED = re.compile(r"(?:(?<![^\W\d_])[^\W\d_]|[\d)\]}])['!]+(?![^\W\d_])")
"""Where running text means a prime or a factorial: after a single letter, a number or a bracket."""
_BETWEEN = re.compile(r"(?<=[\w)}\]])\s*([,:;])\s*(?=[\w({\\-])")
_KEPT = str.maketrans("'!,:;", "′¡‚∶⁏")
"""Stand-ins for punctuation that carries meaning, so that it outlives the filler."""
_SPELLINGS = str.maketrans({"⁄": "/", "−": "-", "′": "'", "‘": "'", "’": "'"})
_FORMS = {"<super>": "^", "<sub>": "_", "<fraction>": " {} ", "<circle>": "({})"}

_FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)|\\begin\{(asy|tikzpicture)\}.*?(?:\\end\{\1\}|$)")
_VARIABLE = r"\$?\b[a-z]\b,?\$?,?"
_PHRASE = re.compile(
    rf"(?:\b(?:where|if|let|that) )?{_VARIABLE}(?: (?:and )?{_VARIABLE})* (?:are|is|be) (?:(?:an?|all|both"
    r"|distinct|relatively|not necessarily|mutually|co-?prime|prime|positive|nonzero|non-?negative|real|complex|and) )*"
    r"(?:integers?|numbers?|constants?)\b(?: and [^.?]*square of (?:any|a) prime)?"
    r"|\b(?:find|compute|what is|determine|submit) (?:the value of )?\$? ?m ?\+ ?n\b"
    r"|\b(?:please )?(?:express|write|give|enter|state|leave|round|report|provide) [^.?]{0,40}\banswers?\b[^.?]*"
    r"|\banswers? (?:in|as|to|should|must|rounded)\b[^.?]*"
    r"|\b(?:rounded?|correct)? ?to the nearest [a-z-]+"
    r"|\bas a common fraction(?: in (?:lowest terms|simplest form))?"
)
"""Ways to state the form of an answer, which unrelated problems share word for word."""
ASKING = frozenset(["compute", "calculate", "find", "evaluate", "determine", "simplify", "solve", "is"])
_REQUEST = re.compile(
    rf"^(?:(?:please|question|problem|q|{'|'.join(sorted(ASKING))}|work out|what|what's|the (?:exact )?value of|for)"
    r"\b[ :.]*)+"
)
JOINING = re.compile(r"[^\w()\[\]]")
"""Begins a word that makes a longer formula of what stands beside it: an operator or a command."""
_ACCENT = re.compile(r"\\[dtc](?=frac|binom)")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|quad|qquad|(?:text|math)(?:bf|it|rm|sf)?)(?![a-z])|\\[ ,;!:\[\]()]")
_WORD = re.compile(rf"\\[a-z]+|{_NUMBER}|[^\W\d_]+|_|[^\w\s.,;:?\"“”${{}}\\]")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_RUN = re.compile(r"\w+")


def plain(text: str) -> str:
    """Compatibility forms of Unicode as plain characters that say the same: `5²` is 5^2, `x₁` x_1, `2½` 2 1/2."""
    if text.isascii():
        return text
    pieces = []
    for form, characters in groupby(text, key=_raised):
        spelt = "".join(map(_spelt, characters))
        pieces.append(
            spelt if not form else f"{_FORMS[form]}{spelt}" if len(spelt) == 1 else f"{_FORMS[form]}{{{spelt}}}"
        )
    return unicodedata.normalize("NFKC", "".join(pieces)).translate(_SPELLINGS)


def _raised(character: str) -> str:
    form = unicodedata.decomposition(character).partition(" ")[0]
    return form if form in ("<super>", "<sub>") else ""


def _spelt(character: str) -> str:
    form, *points = unicodedata.decomposition(character).split() or [""]
    if not form.startswith("<"):
        return character
    inner = "".join(chr(int(point, 16)) for point in points)
    return inner if form in ("<super>", "<sub>") else _FORMS.get(form, "{}").format(plain(inner))


def wording(question: str) -> str:
    """The question without differences of case, spacing and Unicode form: equal for copies of one question."""
    return " ".join(plain(question).casefold().split())


def skeleton(question: str) -> str:
    """Hash of the wording with every number alike and spacing and punctuation out; operators and names stay.

    Operators are also the factorial, the prime, and what stands between two terms in maths mode (`f(x,y)`, `a:b`).
    For published questions. A generated problem brings its template's hash, which takes names and things out too.
    """
    text = re.sub(_NUMBER, "0", wording(question))
    text = _MATHS_MODE.sub(lambda span: _marks(_BETWEEN.sub(lambda mark: _marks(mark[1]), span[0]), "'!"), text)
    text = _MARKED.sub(lambda mark: _marks(mark[0], "'!"), text)
    return stable_id("skeleton", _FILLER.sub("", text))


def _marks(text: str, which: str = "'!,:;") -> str:
    return "".join(character.translate(_KEPT) if character in which else character for character in text)


def words(text: str) -> list[str]:
    """Words, numbers, commands and operators of a text; layout, punctuation and boilerplate are passed over."""
    return _words(_without_boilerplate(wording(text)))


def nameless(text: str) -> str:
    """The text with all names alike: words that somewhere in it have a capital in the middle of a sentence."""
    names = set(_NAME.findall(text))
    return re.sub(rf"\b(?:{'|'.join(names)})\b", "@", text) if names else text


def request(question: str) -> list[str]:
    """All words of a question, drawings too, but for how it asks (`compute`, `what is`) and in which form it wants the
    answer: what makes a short one."""
    return _words(_REQUEST.sub("", _PHRASE.sub(" ", wording(question))))


def ngrams(question: str, n: int) -> set[tuple[str, ...]]:
    """The runs of `n` words and numbers of a question; none where it is shorter (Brown et al. 2020, appendix C).

    Boilerplate does not count: drawings (Asymptote, TikZ) and phrases about the form of the answer.
    """
    tokens = _RUN.findall(_without_boilerplate(wording(question)))
    return {tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)}


def _without_boilerplate(text: str) -> str:
    return _PHRASE.sub(" | ", _FIGURE.sub(" | ", text))


def _words(text: str) -> list[str]:
    return _WORD.findall(_LAYOUT.sub(" ", _ACCENT.sub(r"\\", text)))
