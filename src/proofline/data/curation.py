"""Raw problems -> train, dev and test, without copies of each other's problems; and what was dropped.

The test split is kept whole (but for copies and rows without an answer), and everything else gives way to it:

1. a problem without a reference answer, or worded like one already kept, is dropped; test goes first, then dev;
2. a dev or training problem is dropped if it has kin in test (see `kinship`: skeleton, runs of `ngram` words, short
   questions, near-duplicates, solutions);
3. a training problem of a source that came without dev goes to dev if its skeleton's hash says so: adding a problem
   moves no other;
4. a training problem is dropped if it has kin in dev;
5. what is left of a split is grouped by kinship: problems of one cluster are not independent of each other;
6. where the recipe names a list of test problems or limits a published source, those of the list stay, and of them the
   lowest hashes, by an order that no later limit uses. Limits come last, so a smaller test split never lets a training
   problem back in.

Generated problems come with their split and a stronger skeleton (see `synthetic`); they go through the same gates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proofline.config.schema import Prepare, Published
from proofline.data.kinship import Kin, grouped
from proofline.data.listed import listed
from proofline.data.subset import drawn, subset
from proofline.data.wording import wording
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
    kin_of_test = Kin(test, section.ngram)
    dev = _apart(dev, kin_of_test, "test", curated)
    train = _apart(train, kin_of_test, "test", curated)

    with_dev = {problem.source for problem in arrived["dev"]}
    held_out = [
        problem for problem in train if problem.source not in with_dev and is_held_out(problem, section.dev_fraction)
    ]
    dev += [problem.model_copy(update={"split": "dev"}) for problem in held_out]
    moved = {problem.id for problem in held_out}
    train = [problem for problem in train if problem.id not in moved]
    train = _apart(train, Kin(dev, section.ngram), "dev", curated)

    splits: dict[Split, list[Problem]] = {"train": train, "dev": dev, "test": test}
    curated.splits = _limited({split: grouped(rows) for split, rows in splits.items()}, section, curated)
    return curated


def is_held_out(problem: Problem, dev_fraction: float) -> bool:
    """Does a training problem belong to dev? Decided by its skeleton alone; generated problems have their split."""
    if problem.source == "synthetic":
        return False
    return drawn(f"dev {problem.skeleton}", dev_fraction)


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


def _apart(problems: Sequence[Problem], others: Kin, split: Split, curated: Curated) -> list[Problem]:
    """Those without kin in `others`, which are all of one split."""
    kept = []
    for problem in problems:
        reason = others.reason(problem)
        if reason is None:
            kept.append(problem)
        else:
            curated.drop(problem, f"{reason}_in_{split}")
    return kept


def _limited(splits: dict[Split, list[Problem]], section: Prepare, curated: Curated) -> dict[Split, list[Problem]]:
    """Of each published source the test problems that the recipe lists, and at most as many as it says: of train and
    dev together, and of test. Raises ListError."""
    out: set[str] = set()
    for source in section.sources:
        if source == "synthetic":
            continue
        limits = section.benchmark(source)
        test_list = limits.test_list if isinstance(limits, Published) else None
        training = [*splits["train"], *splits["dev"]]
        for pool, limit, name in ((training, limits.train, None), (splits["test"], limits.test, test_list)):
            mine = [problem for problem in pool if problem.source == source]
            among = mine if name is None else listed(name, mine)
            named, chosen = ({problem.id for problem in rows} for rows in (among, subset(among, limit, by="limits")))
            for problem in mine:
                if problem.id not in chosen:
                    curated.drop(problem, "over_limit" if problem.id in named else "not_listed")
                    out.add(problem.id)
    return {split: [problem for problem in rows if problem.id not in out] for split, rows in splits.items()}
