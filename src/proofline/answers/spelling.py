r"""One spelling for what means the same. Text in, text out; `clean(clean(x)) == clean(x)`.

`\$1,\!600.`, `1,600`, `1\,600`, `1 600` and `1600` become `1600`; `44\%` is `44`; `2 1/2` and `2½` are
`2\frac{1}{2}`; `1e3` is `1 \times 10^{3}`. These are the spellings that math-verify's parser trips over; all else is
its own task.
"""

from __future__ import annotations

import re
import unicodedata

EITHER = r" \text{ or else } "
"""Between the answers of a reference of which each counts."""
MULTIPLIER = re.compile(
    r"\b(?i:dozen|hundred|thousand|million|billion|trillion|half|third|quarter)s?\b|(?<=\d)\s?(?:[kKMB]|bn|mn)\b"
)
"""Words that make another number of the one beside them."""

_ORNAMENT = re.compile(r"^(?:\*\*|__|`|</?b>|[\"“”])+|(?:\*\*|__|`|</?b>|[\"“”])+(?=[.,;]*$)")
MATH = re.compile(r"\$\$?(?P<dollar>[^$]+)\$\$?|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]", re.DOTALL)
_CURRENCY = re.compile(r"(?:\\?[$€£]|\\text\{\s*\\?\$\s*\})(?=\s*[-.\d\\])")
_SIGNS = str.maketrans({"−": "-", "﹣": "-", "－": "-", "⁄": "/", "∕": "/", "⋅": "·", "′": "'", "\u200b": None})
_LEADING_DASH = re.compile(r"^[–—‒](?=\s*[\d.$\\])")

_BLANK = r"(?:(?<!\\)\\[,;: ]|~|[\u00a0\u2000-\u200a\u202f\u205f\u3000])"
_NARROW = rf"(?:{_BLANK}|\\!|\{{,\}}|,\\!)"
_THIN = re.compile(rf"(?<=\d){_BLANK}\s*(?=\d)")
_GROUPED = re.compile(rf"(?<![\d.,])(\d{{1,3}})((?:{_NARROW}\s*\d{{3}})+)(?!\d)")
_DECIMALS = re.compile(rf"(?<=\d\.)\d{{3}}(?:{_NARROW}\d{{1,3}})+(?!\d)")
_SPACED = re.compile(r"(?:^|(?<=[(\[{=+-])|(?<=[,;=+-] ))[1-9]\d{0,2}(?: \d{3})+(?! ?\d|\s*/)")
_LOOSE_GROUP = re.compile(r"(\\[a-zA-Z]+) +\{")
_SCIENTIFIC = re.compile(r"(-?\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})")
_COMMAS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_MIXED = re.compile(
    r"(-?)\s*(\d+)(?: and | |(?=\\[dtc]?frac)) *(?:(\d+)\s*/\s*(\d+)|\\[dtc]?frac(?:\{(\d+)\}\{(\d+)\}|(\d)(\d)))"
)
_BOLD = re.compile(r"\\(?:mathbf|boldsymbol|mathrm|bm)\s*\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\([dtc]?frac)(?= \d|\d \d)\s*(\d)\s*(\d)(?!\d)")


def clean(answer: str) -> str:
    """The answer without ornament, currency and percent signs, its numbers written plainly."""
    before = None
    while answer != before:  # what one pass uncovers (`**$1,600$.**`) the next one cleans
        before, answer = answer, _clean_once(answer)
    return answer


def _clean_once(answer: str) -> str:
    answer = _ascii(answer)
    answer = _GROUPED.sub(lambda number: number[1] + re.sub(r"\D", "", number[2]), answer)
    answer = _DECIMALS.sub(lambda number: re.sub(r"\D", "", number[0]), answer)
    answer = _THIN.sub(" ", answer)
    answer = _LOOSE_GROUP.sub(r"\1{", answer)
    answer = answer.replace(r",\!", "").replace(r"\!", "")
    answer = _ORNAMENT.sub("", " ".join(answer.split()))
    wrapped = MATH.fullmatch(answer.rstrip(".,; "))
    if wrapped:
        answer = next(group for group in wrapped.groups() if group is not None)
    if bold := _BOLD.fullmatch(answer.rstrip(".,; ")):
        answer = bold[1]
    answer = _CURRENCY.sub("", answer).rstrip(".,; ")
    answer = re.sub(r"\s*\\?%$", "", answer.removeprefix(r"\approx").removeprefix("≈")).strip()
    answer = _SHORT_FRACTION.sub(r"\\\1{\2}{\3}", answer)
    answer = _SPACED.sub(lambda number: number[0].replace(" ", ""), answer)
    if _COMMAS.fullmatch(answer):
        return answer.replace(",", "")
    if scientific := _SCIENTIFIC.fullmatch(answer):
        return rf"{scientific[1]} \times 10^{{{int(scientific[2])}}}"
    mixed = _MIXED.fullmatch(answer)
    if mixed:
        sign, whole, *parts = mixed.groups()
        above, below = (part for part in parts if part is not None)
        return rf"{sign}{whole}\frac{{{above}}}{{{below}}}"
    return answer


def _ascii(answer: str) -> str:
    """Unicode's fractions, raised digits, signs and wide digits as they are typed: `2½` is `2 1/2`, `x²` is `x^2`."""
    if answer.isascii():
        return answer
    answer = _LEADING_DASH.sub("-", answer.strip().translate(_SIGNS))
    return "".join(map(_typed, answer))


def _typed(character: str) -> str:
    form, *points = unicodedata.decomposition(character).split() or [""]
    plain = "".join(chr(int(point, 16)) for point in points) if form.startswith("<") else character
    if form == "<fraction>":
        return f" {plain.replace('⁄', '/')}"
    return {"<super>": f"^{plain}", "<sub>": f"_{plain}", "<wide>": plain}.get(form, character)


def alternatives(reference: str) -> list[str]:
    """The answers that a reference accepts: where it names several, each of them and all of them together."""
    named = reference.split(EITHER)
    return named if len(named) == 1 else [*named, ", ".join(named)]


def quote(text: str) -> str:
    """A text within a reason: shortened, between quotes."""
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"
