r"""LaTeX in one spelling for the exact reader: layout, degree, percent and currency signs off, one sign a meaning.

Text in, text out: `\dfrac12 \times 3 \leq x` is `\frac12 * 3 ≤ x`.
"""

from __future__ import annotations

import re

_LAYOUT = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|quad|qquad|big|Big|bigg|Bigg|limits)(?![a-zA-Z])|(?<!\\)\\[,;:! ]|~"
    r"|\\phantom\{[^{}]*\}"
)
_SPELLINGS = [
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-zA-Z])|[×·∙*]"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])|÷"), "/"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|°|\\degree(?![a-zA-Z])"), ""),
    (re.compile(r"\\?%|\\[$]|[$€£]"), ""),
    (re.compile(r"\\leq?(?:slant)?(?![a-zA-Z])|≤"), "≤"),
    (re.compile(r"\\geq?(?:slant)?(?![a-zA-Z])|≥"), "≥"),
    (re.compile(r"\\neq?(?![a-zA-Z])"), "≠"),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\in(?![a-zA-Z])"), "∈"),
    (re.compile(r"\\cup(?![a-zA-Z])"), "∪"),
    (re.compile(r"\\(?:lbrace|\{)"), r"\\{"),
    (re.compile(r"√"), r"\\sqrt "),
    (re.compile("π"), r"\\pi "),
    (re.compile("∞"), r"\\infty "),
    (re.compile(r"\\(?:operatorname|mathbf|mathit|boldsymbol|overline|vec)\s*\{(\\?[a-zA-Z]+)\}"), r" \1 "),
    (re.compile(r"\\(?:langle|lparen)(?![a-zA-Z])"), "("),
    (re.compile(r"\\(?:rangle|rparen)(?![a-zA-Z])"), ")"),
    (re.compile(r"\\[lr]?vert(?![a-zA-Z])"), "|"),
]
TEXT = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm|mathsf)\s*\{([^{}]*)\}(\^\{?\d\}?)?")


def plain_latex(answer: str) -> str:
    text = _LAYOUT.sub(" ", answer)
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return text


def words_of(text: str) -> str:
    """The words of a text in lower case, without punctuation and commands."""
    return " ".join(re.findall(r"[^\W_]+|,", TEXT.sub(r" \1 ", text).lower().replace("\\", " "))).strip(" ,")
