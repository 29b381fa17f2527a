"""The final answer that a solution states: find it, read it, spell it in one way, and compare two of them.

One reading for everything: the grader's candidates, the references of published problems, and votes.

    statement.py   text -> the statement that counts as the final answer, or why there is none
    boxes.py       where boxes stand in a text, and which of them make one answer
    reading.py     text -> the answer's own text
    forms.py       the form that an answer is asked for in, and who keeps to it
    spelling.py    one spelling for what means the same
    clock.py       times and ratios, `2:40` and `3:4`
    doubt.py       what nobody can compare
    exact.py       are two answers equal? Over value.py (tuples, lists, relations, words), expression.py (a function of
                   its unknowns), numbers.py (exact arithmetic) and latex.py, without SymPy
"""

from proofline.answers.boxes import last_boxed
from proofline.answers.exact import equivalent
from proofline.answers.reading import MAX_ANSWER_CHARS, Reading, read_answer
from proofline.answers.spelling import clean, quote
from proofline.answers.statement import Statement, find_statement

__all__ = [
    "MAX_ANSWER_CHARS",
    "Reading",
    "Statement",
    "clean",
    "equivalent",
    "find_statement",
    "last_boxed",
    "quote",
    "read_answer",
]
