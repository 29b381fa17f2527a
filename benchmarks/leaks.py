"""Leaks planted by rule: a test question as it may come back in training data. Each maker is a function of
(problem, another problem of the split, random generator) and returns the planted training problem, or None where the
rule does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from proofline.data.wording import request, skeleton
from proofline.records import Problem

SHORT = 13
"""Words: shorter questions are the kind `short`, and no other kind takes them."""
FRAMES = (
    "Question: {}",
    "Solve this problem step by step. {}",
    "{} Explain your reasoning.",
    "[Exercise 14] {} (3 points)",
)
SYNONYMS = (
    ("how many", "what number of"), ("how much", "what amount of"), ("what is", "determine"), ("find", "compute"),
    ("each", "every"), ("buys", "purchases"), ("gives", "hands"), ("needs", "requires"), ("has", "owns"),
    ("positive", "strictly positive"), ("such that", "for which"), ("smallest", "least"), ("largest", "greatest"),
    ("total", "overall"), ("suppose", "assume"), ("let", "define"), ("gets", "receives"), ("costs", "is priced at"),
)  # fmt: skip
NAMES = ("Ayu", "Bartek", "Chidi", "Dilnoza", "Emeka", "Farida")
NOT_NAMES = re.compile(
    r"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|How|What|If|The|In|On|At|She|He|It)$"
)


def plant(problem: Problem, question: str, solution: str = "#### 1") -> Problem:
    """A training problem with this question; by default its solution gives nothing away."""
    return problem.model_copy(
        update={"id": f"planted-{problem.id}", "split": "train", "question": question, "solution": solution,
                "skeleton": skeleton(question)}
    )  # fmt: skip


def is_short(problem: Problem) -> bool:
    return len(request(problem.question)) < SHORT


def verbatim(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """Word for word: in other case, spacing, Unicode and LaTeX layout, or inside a longer prompt."""
    return None if is_short(problem) else plant(problem, _copied(problem.question, rng))


def short(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """The same of a question of fewer than 13 words, also with another request (`Find the value of`)."""
    if not is_short(problem):
        return None
    asked = re.sub(
        r"^(?:Compute|Find|Evaluate|What is|Calculate)\b(?: the value of)?",
        lambda match: rng.choice((match[0], "Compute", "Find", "Calculate", "What is the value of")),
        problem.question,
    )
    return plant(problem, _copied(asked, rng))


def _copied(text: str, rng: Random) -> str:
    change = rng.randrange(5)
    if change == 0:
        return text.upper() if "\\" not in text else text.replace(" ", "  ").replace("\\frac", "\\dfrac")
    if change == 1:
        return text.replace("'", "’").replace(". ", ".\n").replace("^2", "²").replace("$,", ",$")
    if change == 2:
        return text.rstrip(" .?") + " ?"
    return text if change == 3 else rng.choice(FRAMES).format(text)


def renumbered(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """Every number outside drawings another one with as many digits."""
    if is_short(problem) or not re.search(r"\d", problem.question):
        return None
    pieces = re.split(r"(\[asy\].*?\[/asy\])", problem.question, flags=re.DOTALL)
    changed = [piece if piece.startswith("[asy]") else re.sub(r"\d", lambda _: str(rng.randint(1, 9)), piece)
               for piece in pieces]  # fmt: skip
    return plant(problem, "".join(changed))


def reworded(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """Other names and synonyms, other numbers in half of the cases, the question first in a third of them."""
    if is_short(problem):
        return None
    text = problem.question
    names = sorted(
        {name for name in re.findall(r"(?<![.?!] )(?<!^)\b[A-Z][a-z]{2,}\b", text) if not NOT_NAMES.match(name)}
    )
    for name, new in zip(names, rng.sample(NAMES, len(NAMES)), strict=False):
        text = re.sub(rf"\b{name}\b", new, text)
    for plain, synonym in SYNONYMS:
        text = re.sub(rf"\b{plain}\b", synonym, text, flags=re.IGNORECASE)
    sentences = re.split(r"(?<=[.?!])\s+", text)
    if len(sentences) > 2 and rng.random() < 1 / 3:
        text = " ".join([sentences[-1], *sentences[:-1]])
    if "[asy]" not in text and rng.random() < 0.5:
        text = re.sub(r"\d", lambda _: str(rng.randint(1, 9)), text)
    return None if text == problem.question else plant(problem, text)


def solution(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """The solution, under the question of an unrelated problem. Solutions of fewer than 25 words say too little."""
    if len(re.findall(r"\w+", problem.solution)) < 25:
        return None
    return plant(problem, f"Explain how this is done, planted {rng.random()}.", problem.solution)


def boilerplate(problem: Problem, other: Problem, rng: Random) -> Problem | None:
    """No leak: an unrelated question with the drawing, and with the words on the form of the answer, of this one."""
    drawing = re.search(r"\[asy\].*?\[/asy\]", problem.question, re.DOTALL)
    form = re.search(
        r"[^.?!]*\b(?:relatively prime positive integers|answer as|answer in|nearest)\b[^.?!]*[.?!]", problem.question
    )
    if not (drawing or form):
        return None
    parts = [other.question, drawing[0] if drawing else "",
             "Express your answer as a common fraction in lowest terms." if form else ""]  # fmt: skip
    return plant(problem, " ".join(parts))


Maker = Callable[[Problem, Problem, Random], Problem | None]
LEAKS: dict[str, Maker] = {
    "verbatim": verbatim, "short": short, "renumbered": renumbered, "reworded": reworded, "solution": solution,
}  # fmt: skip
