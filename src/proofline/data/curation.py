"""Raw problems -> train, dev and test, disjoint by problem, by skeleton and by runs of words; and what was dropped.

The test split is kept whole (but for copies and rows without an answer), and everything else gives way to it:

1. a problem without a reference answer, or worded like one already kept, is dropped; test goes first, then dev;
2. a dev or training problem is dropped if its skeleton, or a run of `ngram` words, occurs in test;
3. a published training problem goes to dev if its skeleton's hash says so: adding a problem moves no other;
4. a training problem is dropped if its skeleton or a run of `ngram` words occurs in dev;
5. where the recipe limits a published source, the lowest hashes stay. Limits come last, so a smaller test split
   never lets a training problem back in.

Generated problems come with their split and a stronger skeleton (see `synthetic`); they go through the same gates.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proofline.config.schema import Prepare
from proofline.data.subset import subset
from proofline.data.wording import ngrams, wording
from proofline.records import SPLITS, Problem, Split


@dataclass
class Curated:
    """The splits, and how many problems of (source, the split they came with) were read and dropped for a reason."""

    splits: dict[Split, list[Problem]] = field(default_factory=dict)
    read: Counter[tuple[str, Split]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, Split, str]] = field(default_factory=Counter)

    def drop(self, problem: Problem, reason: str) -> None:
        self.dropped[problem.source, problem.split, reason] += 1


def curate(problems: Iterable[Problem], section: Prepare) -> Curated:
    """Apply the rules above. The order within a split is that of the input, published dev problems last."""
    curated = Curated()
    arrived: dict[Split, list[Problem]] = {split: [] for split in SPLITS}
    for problem in problems:
        arrived[problem.split].append(problem)
        curated.read[problem.source, problem.split] += 1

    wordings: set[str] = set()
    test, dev, train = (_distinct(arrived[split], wordings, curated) for split in ("test", "dev", "train"))
    dev = _apart(dev, test, section.ngram, curated)
    train = _apart(train, test, section.ngram, curated)

    held_out = [problem for problem in train if is_held_out(problem, section.dev_fraction)]
    dev += [problem.model_copy(update={"split": "dev"}) for problem in held_out]
    moved = {problem.id for problem in held_out}
    train = _apart([problem for problem in train if problem.id not in moved], dev, section.ngram, curated)

    curated.splits = _limited({"train": train, "dev": dev, "test": test}, section, curated)
    return curated


def is_held_out(problem: Problem, dev_fraction: float) -> bool:
    """Does a training problem belong to dev? Decided by its skeleton alone; generated problems have their split."""
    if problem.source == "synthetic":
        return False
    digest = hashlib.sha256(f"dev {problem.skeleton}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < dev_fraction * 2**64


def _distinct(problems: Sequence[Problem], wordings: set[str], curated: Curated) -> list[Problem]:
    """Those with an answer and a wording that is new; `wordings` grows."""
    kept = []
    for problem in problems:
        words = wording(problem.question)
        if not problem.answer:
            curated.drop(problem, "no_reference_answer")
        elif words in wordings:
            curated.drop(problem, "duplicate")
        else:
            wordings.add(words)
            kept.append(problem)
    return kept


def _apart(problems: Sequence[Problem], others: Sequence[Problem], n: int, curated: Curated) -> list[Problem]:
    """Those that share neither a skeleton nor a run of `n` words with `others`, which are all of one split."""
    skeletons = {other.skeleton for other in others}
    runs = set().union(*(ngrams(other.question, n) for other in others))
    kept = []
    for problem in problems:
        if problem.skeleton in skeletons:
            curated.drop(problem, f"skeleton_in_{others[0].split}")
        elif not runs.isdisjoint(ngrams(problem.question, n)):
            curated.drop(problem, f"ngram_in_{others[0].split}")
        else:
            kept.append(problem)
    return kept


def _limited(splits: dict[Split, list[Problem]], section: Prepare, curated: Curated) -> dict[Split, list[Problem]]:
    """At most as many problems of each published source as the recipe says: of train and dev together, and of test."""
    out: set[str] = set()
    for source in section.sources:
        if source == "synthetic":
            continue
        limits = getattr(section, source)
        for limit, pool in ((limits.train, [*splits["train"], *splits["dev"]]), (limits.test, splits["test"])):
            mine = [problem for problem in pool if problem.source == source]
            chosen = {problem.id for problem in subset(mine, limit)}
            for problem in mine:
                if problem.id not in chosen:
                    curated.drop(problem, "over_limit")
                    out.add(problem.id)
    return {split: [problem for problem in rows if problem.id not in out] for split, rows in splits.items()}
