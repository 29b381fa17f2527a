"""When are two questions the same? Three answers, from strict to loose: wording, skeleton, shared runs of words."""

from __future__ import annotations

import re
import unicodedata

from proofline.records import stable_id

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_FILLER = re.compile(r"[\s.,;:!?'\"‘’“”$]+")
_TOKEN = re.compile(r"\w+")


def wording(question: str) -> str:
    """The question without differences of case, spacing and Unicode form: equal for copies of one question."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split())


def skeleton(question: str) -> str:
    """Hash of the wording with every number alike and spacing and punctuation out; operators and names stay.

    For published questions. A generated problem brings its template's hash, which takes names and things out too.
    """
    return stable_id("skeleton", _FILLER.sub("", _NUMBER.sub("0", wording(question))))


def ngrams(question: str, n: int) -> set[tuple[str, ...]]:
    """The runs of `n` words and numbers of a question; none where it is shorter (Brown et al. 2020, appendix C)."""
    tokens = _TOKEN.findall(wording(question))
    return {tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)}
