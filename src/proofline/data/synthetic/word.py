"""The `word` family: multi-step stories in the style of GSM8K (Cobbe et al. 2021), ending in `#### 42`.

A story is an opening, one to three events that change how many things somebody has, and a question.
The template skeleton is the sequence of those sentences; there are several thousand of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from proofline.data.synthetic.steps import Derived, Operand, Ref, Step, evaluate

NAMES = ["Tom", "Ann", "Ben", "Eva", "Sam", "Mia", "Max", "Lea", "Jim", "Zoe", "Dan", "Kim", "Leo", "Ida", "Roy", "Sue"]
THINGS = ["apples", "books", "coins", "cards", "shells", "stamps", "beads", "pens", "eggs", "plums", "nuts", "toys"]
HOLDERS = ["boxes", "bags", "packs", "jars"]


@dataclass
class Story:
    """A story while it is being told: sentences, steps and how many things there are now."""

    rng: Random
    who: str
    friend: str
    things: str
    sentences: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    total: Operand = 0

    def value(self) -> int:
        return self.total if isinstance(self.total, int) else int(evaluate(self.steps)[self.total.step])

    def step(self, label: str, left: Operand, op: str, right: Operand) -> Ref:
        self.steps.append(Step(label, left, op, right))
        return Ref(len(self.steps) - 1)

    def change(self, label: str, op: str, right: Operand) -> None:
        self.total = self.step(label, self.total, op, right)

    def say(self, *phrasings: str, **numbers: object) -> str:
        """Append one of the phrasings; returns its index, which is part of the skeleton."""
        index = self.rng.randrange(len(phrasings))
        words = {"who": self.who, "friend": self.friend, "things": self.things}
        self.sentences.append(phrasings[index].format(**words, **numbers))
        return str(index)


def opening(story: Story) -> str:
    rng = story.rng
    kind = rng.randrange(3)
    if kind == 0:
        count = rng.randint(12, 95)
        story.total = count
        return "has" + story.say("{who} has {n} {things}.", "There are {n} {things} on {who}'s desk.", n=count)
    if kind == 1:
        boxes, each = rng.randint(3, 9), rng.randint(4, 12)
        story.total = story.step("Start", boxes, "*", each)
        holder = rng.choice(HOLDERS)
        return "boxes" + story.say(
            "{who} has {b} {holder} with {c} {things} in each.",
            "{who} fills {b} {holder} with {c} {things} each.",
            b=boxes,
            c=each,
            holder=holder,
        )
    first, second = rng.randint(11, 70), rng.randint(11, 70)
    story.total = story.step("Start", first, "+", second)
    return "two" + story.say(
        "{who} has {a} red {things} and {b} blue {things}.",
        "{who} finds {a} {things} at home and {b} {things} at school.",
        a=first,
        b=second,
    )


def event(story: Story) -> str:
    """Tell one event; which ones are possible depends on how many things there are."""
    rng, have = story.rng, story.value()
    possible = ["more", "packs", "daily"]
    possible += ["gives", "shares", "sells"] if have >= 30 else []
    possible += ["half"] if have % 2 == 0 and have >= 8 else []
    possible += ["third"] if have % 3 == 0 and have >= 9 else []
    possible += ["times"] if have <= 99 else []
    kind = rng.choice(possible)
    if kind == "more":
        n = rng.randint(8, 89)
        story.change("Now", "+", n)
        return kind + story.say("Then {who} gets {n} more {things}.", "{friend} gives {who} {n} {things}.", n=n)
    if kind == "packs":
        b, c = rng.randint(2, 9), rng.randint(3, 12)
        story.change("Now", "+", story.step("Bought", b, "*", c))
        holder = rng.choice(HOLDERS)
        return kind + story.say(
            "{who} buys {b} {holder} of {c} {things}.", "{friend} brings {b} {holder} of {c} {things}.",
            b=b, c=c, holder=holder,
        )  # fmt: skip
    if kind == "daily":
        d, n = rng.randint(3, 9), rng.randint(3, 12)
        story.change("Now", "+", story.step("Found", d, "*", n))
        return kind + story.say(
            "For {d} days {who} finds {n} {things} a day.", "{who} makes {n} {things} a day for {d} days.", d=d, n=n
        )
    if kind == "gives":
        n = rng.randint(5, have - 6)
        story.change("Left", "-", n)
        return kind + story.say("{who} gives {n} {things} to {friend}.", "Then {who} loses {n} {things}.", n=n)
    if kind == "shares":
        m = rng.randint(2, 6)
        n = rng.randint(2, max(2, min(12, (have - 4) // m)))
        story.change("Left", "-", story.step("Given", m, "*", n))
        return kind + story.say(
            "{who} gives {m} friends {n} {things} each.", "Each of {m} friends takes {n} {things}.", m=m, n=n
        )
    if kind == "sells":
        a = rng.randint(3, have // 2 - 2)
        b = rng.randint(3, have // 2 - 2)
        story.change("Left", "-", story.step("Sold", a, "+", b))
        return kind + story.say(
            "{who} sells {a} {things} on Monday and {b} on Friday.", "{who} eats {a} {things} and drops {b}.", a=a, b=b
        )
    if kind in ("half", "third"):
        story.change("Left", "/", 2 if kind == "half" else 3)
        part = "half" if kind == "half" else "a third"
        return kind + story.say("{who} keeps {part} of the {things}.", "Only {part} of them are good.", part=part)
    k = rng.randint(2, 4)
    story.change("Now", "*", k)
    return kind + story.say(
        "A week later {who} has {k} times as many.", "The number of {things} grows to {k} times as many.", k=k
    )


def question(story: Story) -> str:
    rng, have = story.rng, story.value()
    possible = ["now", "now"]
    possible += ["price"] if have <= 120 else []
    possible += ["together"]
    possible += [f"rows{d}" for d in (4, 5, 6, 8) if have % d == 0 and have > d]
    kind = rng.choice(possible)
    if kind == "price":
        p = rng.randint(2, 9)
        story.change("Price", "*", p)
        return kind + story.say(
            "How many dollars are they worth at {p} dollars each?", "At {p} dollars each, what do they cost?", p=p
        )
    if kind == "together":
        n = rng.randint(5, 60)
        story.change("Both", "+", story.step("Other", story.total, "+", n))
        return kind + story.say(
            "{friend} has {n} more than {who}. How many do they have together?",
            "If {friend} has {n} more than {who}, how many {things} are there in all?",
            n=n,
        )
    if kind.startswith("rows"):
        d = int(kind[4:])
        story.change("Rows", "/", d)
        return "rows" + story.say(
            "How many rows of {d} can {who} make?", "How many people can get {d} {things} each?", d=d
        )
    return kind + story.say("How many {things} does {who} have now?", "How many {things} are there at the end?")


def word_problem(rng: Random) -> Derived:
    """One story with at least two steps and no number above 999."""
    while True:
        who, friend = rng.sample(NAMES, 2)
        story = Story(rng, who, friend, rng.choice(THINGS))
        skeleton = [opening(story)]
        skeleton += [event(story) for _ in range(rng.choice((1, 1, 2, 2, 2, 3)))]
        skeleton.append(question(story))
        values = evaluate(story.steps)
        if 2 <= len(values) <= 6 and all(0 < value <= 999 for value in values):
            return Derived("word", "word:" + ".".join(skeleton), " ".join(story.sentences), tuple(story.steps))
