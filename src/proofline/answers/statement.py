r"""Find the statement of a solution that counts as its final answer. Text in; a Statement, or why there is none.

Only an explicit statement counts, in this order:

1. `#### x` (GSM8K), `\boxed{x}` (MATH) or `<answer>x</answer>`, whichever stands last in the text. `#### x` with
   words in the place of x is a heading and states nothing, and one with words behind x and more text below it is
   an answer only where there is no other statement;
2. where there is none, the last sentence `The answer is x` or label `Answer: x`.

Drafts do not count (`<think>…</think>`), nor does what is taken back afterwards (`Wait, …`), nor a statement that the
end of the text cuts short: then there is no answer, rather than the one before.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proofline.answers.boxes import Box, find_boxes, one_answer

_THOUGHT = "think|thinking|thought|reasoning|scratchpad|reflection"
_DRAFT = re.compile(rf"[<\[]({_THOUGHT})[>\]].*?(?:[<\[]/\1[>\]]|$)", re.IGNORECASE | re.DOTALL)
_DRAFT_END = re.compile(rf"^.*[<\[]/(?:{_THOUGHT})[>\]]", re.IGNORECASE | re.DOTALL)

_ASIDE = r"[ \t>*_`~≈\"“]*(?:<b>)?[ \t]*"
_LABEL_NAME = r"(?:the |my |our )?(?:(?:final|correct|right) )?(?:answer|ans\b\.?)"
_VALUE = re.compile(
    rf"{_ASIDE}(?:(?:about|approximately|exactly|only) )?(?:[-+−–±]\s*)?(?:[$€£]{{1,2}}|\\[$(\[])?\s*[-+−–±]?\s*"
    r"(?:\d|\.\d|\\[a-zA-Z{]|[({\[]\s*[-+−–.\d\\(]|[½⅓⅔¼¾⅕⅙⅛√π∞]"
    r"|[a-zA-Z](?:\([a-z]\))?\s*=|[a-z](?![\w'])\s*(?:$|[-+*/^.]))"
)
_HEADING = re.compile(rf"{_ASIDE}(?:\d+[.):]\s*(?:\*\*)?[^\W\d]|\d+(?:st|nd|rd|th)\b|\d+-[a-z]{{2}})", re.IGNORECASE)
_HASHES = re.compile(r"(?<!#)####(?!#)[ \t]*([^\n]*)(?=\n\s*(?P<next>[^\n]+))?")
_COMMAND = re.compile(r"\\(?:text|mbox|mathrm)\s*\{[^{}]*\}|\\[a-zA-Z]+")
_TAG = re.compile(r"<answer>\s*(?P<text>.*?)\s*(?P<end></answer>|$)", re.IGNORECASE | re.DOTALL)
MAX_SENTENCE = 600
"""Characters behind `The answer is` up to the sentence's end; more state no answer."""
_END = r"(?=\.?\s*\n|[.!?]\s|$)"
_OTHER_VERBS = (
    r"(?: to (?:the|this|that|your|our) [\w ]{1,40}?)?"
    r" (?:is|would be|will be|should be|must be|comes (?:out )?to|equals)\b:?|\s*="
)
_SENTENCE = re.compile(
    rf"(?:\b(?:the|my|our) (?:(?:final|correct|right) )?|(?:^|[.!?]\s+|\n[ \t]*)(?:(?:final|correct) )?)answer"
    rf"(?P<verb> is\b:?|{_OTHER_VERBS})\s*(?=(?P<text>.{{0,{MAX_SENTENCE}}}?){_END})",
    re.IGNORECASE | re.DOTALL,
)
_BOLD_END = r"(?:</b>|[*_]+)?"
_LABEL = re.compile(
    rf"(?:^|(?<=[.!?])[ \t]+|\n)[ \t>#*_•-]*(?:<b>)?(?:(?:so|thus|hence|therefore),? )?{_LABEL_NAME}[ \t]*"
    rf"{_BOLD_END}[ \t]*(?:(?:[:=：]|(?<=\s)[-–—](?=\s))[ \t]*{_BOLD_END}[ \t]*(?P<text>[^\n]*?){_END}|\n)",
    re.IGNORECASE,
)
_PREFIX = re.compile(rf"{_ASIDE}{_LABEL_NAME}{_ASIDE}(?:[:=]|is\b:?){_ASIDE}", re.IGNORECASE)
_ERROR = r"(?:mistake|error|slip)\b"
_NOT_SO = (
    r"(?:off|wrong|incorrect|mistaken|not (?:quite )?(?:right|correct)|a mistake|an error|right\?)(?! to\b)"
    r"|(?:isn't|wasn't|can't be|cannot be|can not be|couldn't be|doesn't (?:seem|look)) (?:quite )?(?:right|correct)"
)
_RETRACTION = re.compile(
    r"(?:^\W*+|[.!?…;)$*]\s+|\n[ \t]*|—\s*|\s-+\s)"
    r"(?:\W{0,4}(?:oh|hmm+|hm|but|so|well|ah|um|no|however|although|though|yet)\b[,.…!]*\s+)*(?:"
    r"wait\b(?=\s*(?:[,.!…:;—-]|$)|\s+(?:no|that|this|i|the|a|let|it|there|we)\b)|hold on\b|scratch that|oops"
    r"|correction\b|actually\b|on (?:second thoughts?|reflection)|no\s*[,.:;!—-]|(?:sorry|apologies)\b|my mistake"
    rf"|(?:that|this|it|which|the answer|my answer) ?(?:(?:'s| is| was| seems| looks) (?:(?!not )\w+ )?)?(?:{_NOT_SO})"
    rf"|i (?:was|am) (?:wrong|mistaken)\b|there (?:is|was) (?:an?|my) (?:\w+ )?{_ERROR}"
    rf"|i (?:\w+ )?(?:i |that i )?(?:made|see|notice|found|spot) (?:an?|my|the) (?:\w+ )?{_ERROR}"
    r"|i (?:\w+ )?(?:i |that i )?(?:forgot|misread|miscounted|miscalculated|missed)\b"
    r"|let(?: me|'s| us) (?:re-?(?:compute|calculate|consider|count|do|think|try|start|vise|work|write|solve|read)"
    r"|correct\b|fix\b|start over|start again|try again|think again))",
    re.IGNORECASE,
)


class Statement(NamedTuple):
    """The final answer as the solution words it."""

    marker: str
    r"""`####`, `\boxed`, `<answer>`, `The answer is` or `Answer:`."""
    text: str
    """What stands behind the marker; for several boxes that are one answer, of the last."""
    end: int
    """Where it ends, in the text without drafts."""
    boxes: tuple[Box, ...] = ()
    r"""Of a `\boxed`: the boxes that make the answer."""
    cut: bool = False
    """The text ends within the statement."""


def find_statement(text: str) -> Statement | None:
    """The statement that counts, by the order in the module's docstring; None where there is none."""
    text = without_drafts(text)
    marks, sentences = _marks(text), _sentences(text)
    found = [mark for mark in marks if not _may_be_heading(mark, text)] or sentences or marks
    last = max(found, key=_place, default=None)
    if last is not None and last.cut:
        later = [sentence for sentence in sentences if sentence.end > last.end]
        return later[-1] if later else last
    return last


def retraction(text: str, statement: Statement) -> str | None:
    """The words behind a statement that take it back; None where there are none."""
    match = _RETRACTION.search(without_drafts(text)[statement.end :].replace("’", "'"))
    return match[0].strip() if match else None


def without_drafts(text: str) -> str:
    """The text without what its writer marks as thinking, ended or not."""
    return _DRAFT_END.sub("", _DRAFT.sub("", text)) if "<" in text or "[" in text else text


def _marks(text: str) -> list[Statement]:
    marks = []
    boxes = find_boxes(text)
    if boxes:
        run, last = one_answer(text, boxes), boxes[-1]
        marks.append(Statement(r"\boxed", last.content or "", last.end, tuple(run), cut=last.content is None))
    for match in _HASHES.finditer(text):
        content, end = match[1].strip(), match.end(1)
        if not content and match["next"] and states_value(match["next"]):
            content, end = match["next"], match.end("next")
        content = _PREFIX.sub("", content)
        if states_value(content) or (not text[match.end(1) :].strip() and not content):
            marks.append(Statement("####", content, end))
    for match in _TAG.finditer(text):
        if "\\boxed" not in match["text"]:
            marks.append(Statement("<answer>", _PREFIX.sub("", match["text"]), match.end(), cut=not match["end"]))
    return marks


def _may_be_heading(mark: Statement, text: str) -> bool:
    """`#### 3 bags of pens`, with text behind it: an answer only where the solution states no other."""
    more = re.search(r"[^\W\d_]{2,}|\d\s*[-+*/x×]\s*\d|[:,;]\s*$", _COMMAND.sub("", mark.text))
    return mark.marker == "####" and bool(more) and bool(text[mark.end :].strip())


def _sentences(text: str) -> list[Statement]:
    found = [
        Statement("The answer is", match["text"].strip(), match.end("text"))
        for match in _SENTENCE.finditer(text)
        if match["verb"].lower() in (" is", " is:") or states_value(match["text"])
    ]
    found += filter(None, (_labelled(text, match) for match in _LABEL.finditer(text)))
    return sorted(found, key=_place)


def _place(statement: Statement) -> tuple[int, int]:
    """Where a statement stands: later is greater, and so is the inner one of two that end together."""
    return statement.end, -len(statement.text)


def _labelled(text: str, label: re.Match[str]) -> Statement | None:
    """What `Answer:` or a heading `Answer` states: a value, and where a text goes on behind it, nothing else."""
    content, end = label["text"], label.end()
    if not (content or "").strip():
        line = re.compile(r"\s*([^\n]*)").match(text, label.end())
        content, end = (line[1], line.end()) if line else ("", end)
        if not states_value(content):
            return None
    goes_on = text[end:].strip(" \n\t.*_`!</b>")
    if goes_on and (not states_value(content) or "=" in content or len(re.findall(r"[^\W\d_]{2,}", content)) > 3):
        return None
    return Statement("Answer:", str(content).strip(), end)


def states_value(content: str) -> bool:
    """Does it begin with a value, rather than with words (`Check: 6 groups`) or as a numbered heading (`2. Check`)?"""
    return bool(_VALUE.match(content)) and not _HEADING.match(content)
