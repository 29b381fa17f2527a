r"""Where two answers cannot be compared as mathematics, although a parser may read something into them.

`3 \text{ dozen}` beside `36`, `36k` beside `36000`, `\text{twelve}` beside `12`, `7 50`, `2 \text{ h } 30 \text{ min}`:
whoever takes the number out of the words gets a wrong verdict. Such a pair has none.
"""

from __future__ import annotations

import re

from proofline.answers.spelling import MULTIPLIER
from proofline.answers.units import other_unit, unit_of

_TEXT = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\[a-zA-Z]+|\\begin\{[^}]*\}|\\end\{[^}]*\}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_MATHEMATICS = re.compile(r"[\d=<>+*/^_|\\]")
_BLANK = re.compile(r"(?<![_^\d])\d+(?: |~|(?<!\\)\\[,;:! ])+\d|\d\s*'\s*\d")
_COMPOUND = re.compile(
    r"\d[\s\\,]*\\(?:text|mbox|mathrm)\s*\{([^{}]*)\}[\s\\,]*(?:\\(?:text|mbox)\s*\{[^{}]*\}[\s\\,]*)*[\d.]"
)
_AND_OR = re.compile(r"[\s,]*(?:and|or)?[\s,]*", re.IGNORECASE)


def doubt(answer: str, reference: str) -> str | None:
    """Why a verdict on two differently spelled answers would be a guess; None where it would not."""
    for text, other in ((answer, reference), (reference, answer)):
        word = MULTIPLIER.search(_TEXT.sub(r" \1 ", text))
        if word and word[0].strip() not in _COMMAND.sub("", other):  # `3k` beside `2k`: an unknown, or the same word
            return f"'{word[0].strip()}' makes another number of the one beside it"
        if _BLANK.search(_TEXT.sub(" & ", re.sub(r"\\[a-zA-Z]+\s*\d", "& ", text))):
            return "two numbers with a blank or a mark between them"
        if any(not _AND_OR.fullmatch(match[1]) for match in _COMPOUND.finditer(text)):
            return "two numbers with words between them"
    if other_unit(answer, reference):
        return f"'{unit_of(answer)}' beside '{unit_of(reference)}'"
    if is_words(answer) != is_words(reference):
        return "words beside mathematics"
    return None


def is_words(text: str) -> bool:
    """Is it text alone, such as a name or a written number?"""
    bare = _TEXT.sub(r" \1 ", text)
    in_text = (
        len(re.findall(r"[^\W\d_]", bare)) > 1 and bool(_TEXT.search(text)) and not _TEXT.sub("", text).strip(" ().,")
    )
    return not _MATHEMATICS.search(_COMMAND.sub("\\\\", bare)) and bool(in_text or _WORD.search(bare))
