"""Generated text that the bundled base is pre-trained on: an endless stream of documents.

A quarter are arithmetic drills, a quarter are problems with solutions, half are verifications. The solutions
are what a web crawl would hold: a third show every step, a third put everything into one expression, a third
state only the answer, and a quarter of all of them contain a slip. So the base is weak but real, and what
supervised fine-tuning on clean, worked demonstrations repairs is there to be repaired.
Only training skeletons are used; the stream has its own seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from proofline.config.schema import Prompts
from proofline.data.chain import verify
from proofline.data.equations import Equation, corrupt
from proofline.data.prompts import Message, solution_messages, verdict, verification_messages
from proofline.data.recompute import recompute
from proofline.data.synthetic import generate, write_solution
from proofline.data.synthetic.steps import Derived
from proofline.records import Problem

STYLES = ("worked", "compact", "terse")
SLIP_SHARE = 0.25


def drill(rng: Random) -> str:
    """A dozen lines of arithmetic as it occurs in solutions, or of the tests of it that chains make."""
    comparing = rng.random() < 0.4
    lines = []
    for _ in range(12):
        op = rng.choice("++--**/m")
        if op == "*":
            a, b = rng.randint(2, 130), rng.randint(2, 12)
            equation, value = (f"{a}*{b}" if rng.random() < 0.5 else f"{b}*{a}"), a * b
        elif op == "/":
            b, value = rng.randint(2, 9), rng.randint(2, 130)
            equation = f"{b * value}/{b}"
        elif op == "m":
            a, b = rng.randint(10, 250), rng.randint(3, 40)
            equation, value = f"{a} mod {b}", a % b
        else:
            top = rng.choice((99, 300, 999))
            a, b = rng.randint(1, top), rng.randint(1, min(top, 150))
            equation, value = (f"{a}+{b}", a + b) if op == "+" else (f"{max(a, b)}-{min(a, b)}", abs(a - b))
        if not comparing:
            lines.append(f"{equation}={value}")
            continue
        shown = value if rng.random() < 0.5 else max(0, value + rng.choice((-100, -10, -2, -1, 1, 2, 10, 100)))
        claimed = Equation(equation, Fraction(shown), 0, 0)
        lines.append(f"{claimed}; {recompute(claimed)[0]}")
    return "\n".join(lines)


def solved(problem: Problem, derived: Derived, prompts: Prompts, rng: Random) -> list[Message]:
    """A question and an answer of mixed quality."""
    text = write_solution(derived, rng.choice(STYLES))
    if rng.random() < SLIP_SHARE:
        text = corrupt(text, problem.question, rng) or text
    return [*solution_messages(problem.question, prompts), {"role": "assistant", "content": text}]


def verified(problem: Problem, derived: Derived, prompts: Prompts, rng: Random) -> list[Message]:
    """A candidate and the check of it; half of the candidates are wrong."""
    style = rng.choices(STYLES, (6, 3, 1))[0]
    text = write_solution(derived, style)
    wrong = None
    if rng.random() < 0.5:
        wrong = corrupt(text if style != "terse" else problem.solution, problem.question, rng)
    candidate = wrong or text
    if style == "terse":
        candidate = candidate.splitlines()[-1]
    chain = verify(problem.question, candidate)
    written = f"{chain.text}\n{verdict(chain.accepts)}" if chain else verdict(wrong is None)
    return [*verification_messages(problem.question, candidate, prompts), {"role": "assistant", "content": written}]


def documents(prompts: Prompts, seed: int) -> Iterator[str | list[Message]]:
    """Plain text (drills) and chats (the rest), endlessly."""
    rng = Random(f"proofline corpus {seed}")
    problems = generate("train", seed)
    while True:
        kind = rng.random()
        if kind < 0.25:
            yield drill(rng)
            continue
        problem, derived = next(problems)
        yield (solved if kind < 0.5 else verified)(problem, derived, prompts, rng)
