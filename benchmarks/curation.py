"""What decontamination finds of planted leaks, what it takes for one wrongly, and how long it takes; on published data.

    python benchmarks/curation.py [--data ../shared/data] [--self-check]

Leaks are planted in the training split, kind by kind (see leaks.py), and curated against the whole test split of GSM8K
and MATH. Unrelated are: pairs of a training and a test problem drawn at random, training problems of one benchmark
against all test problems of the other, and questions of the other benchmark with a test problem's drawing and phrases
set beside them. Writes results/curation.json and the table in docs/curation.md.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from leaks import LEAKS, boilerplate
from report import table, write_result

from proofline.config.schema import Prepare
from proofline.data.curation import curate
from proofline.data.kinship import Kin
from proofline.data.sources import load_problems
from proofline.evaluation.statistics import wilson
from proofline.records import Problem
from proofline.storage.tables import read_table

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs/curation.md"
SOURCES = ("gsm8k", "math")
NGRAM = 13


def section() -> Prepare:
    published = {"origin": "folder", "revision": "0" * 40, "train": None, "test": None}
    return Prepare.model_validate({
        "sources": list(SOURCES), "synthetic": {"train": 0, "dev": 0, "test": 0}, "gsm8k": published,
        "math": published, "own": {}, "dev_fraction": 0.0, "ngram": NGRAM, "demonstrations": 1,
        "published_candidates": False,
    })  # fmt: skip


def share(kind: str, source: str, flagged: int, total: int, reasons: Counter[str] | None = None) -> dict[str, Any]:
    value, low, high = wilson(flagged, total, 0.95)
    return {"kind": kind, "source": source, "flagged": flagged, "of": total, "share": value, "low": low, "high": high,
            "reasons": dict((reasons or Counter()).most_common())}  # fmt: skip


def recall(tests: dict[str, list[Problem]]) -> list[dict[str, Any]]:
    """Planted leaks that curation drops, by kind and benchmark."""
    measured = []
    everything = [*chain.from_iterable(tests.values())]
    for kind, make in LEAKS.items():
        for source, problems in tests.items():
            rng = Random(f"{kind} {source}")
            planted = [leak for problem in problems if (leak := make(problem, rng.choice(problems), rng))]
            dropped = curate([*everything, *planted], section()).dropped
            reasons = Counter({reason: n for (_, split, reason), n in dropped.items() if split == "train"})
            if planted:
                measured.append(share(kind, source, reasons.total(), len(planted), reasons))
    return measured


def false_positives(
    trains: dict[str, list[Problem]], tests: dict[str, list[Problem]], pairs: int
) -> list[dict[str, Any]]:
    measured = []
    for source in SOURCES:
        rng = Random(f"pairs {source}")
        drawn = [(rng.choice(trains[source]), rng.choice(tests[source])) for _ in range(pairs)]
        flagged = sum(Kin([test], NGRAM).reason(train) is not None for train, test in drawn)
        measured.append(share("random pairs", source, flagged, len(drawn)))
    for source, other in (SOURCES, SOURCES[::-1]):
        kin = Kin(tests[other], NGRAM)
        found = Counter(kin.reason(problem) for problem in trains[source])
        flagged = found.total() - found.pop(None, 0)
        measured.append(share(f"problems against all of {other} test", source, flagged, len(trains[source]), found))
        rng = Random(f"boilerplate {other}")
        planted = [row for problem in tests[other] if (row := boilerplate(problem, rng.choice(trains[source]), rng))]
        found = Counter(kin.reason(problem) for problem in planted)
        flagged = found.total() - found.pop(None, 0)
        if planted:
            measured.append(share(f"with the boilerplate of {other} test", source, flagged, len(planted), found))
    return measured


def percent(row: dict[str, Any]) -> str:
    digits = 2 if row["share"] < 0.05 else 1
    return f"{100 * row['share']:.{digits}f} [{100 * row['low']:.{digits}f}, {100 * row['high']:.{digits}f}]"


def page(text: str) -> None:
    """Put the tables between the page's markers."""
    old = PAGE.read_text(encoding="utf-8")
    new = re.sub(r"(?<=<!-- curation:begin -->\n).*(?=<!-- curation:end -->)", lambda _: text, old, flags=re.DOTALL)
    PAGE.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared/data"))
    parser.add_argument("--self-check", action="store_true", help="a few problems; no measurement")
    options = parser.parse_args()
    problems = list(load_problems(section(), 0, partial(read_table, options.data)))
    if options.self_check:
        problems = problems[:: len(problems) // 200]
    trains, tests = (
        {source: [row for row in problems if (row.source, row.split) == (source, split)] for source in SOURCES}
        for split in ("train", "test")
    )
    began = time.perf_counter()
    curated = curate(problems, section())
    seconds = time.perf_counter() - began
    found, wrong = recall(tests), false_positives(trains, tests, 100 if options.self_check else 20_000)
    sizes = {split: sum(row.split == split for row in problems) for split in ("train", "test")}
    clusters = {split: len({row.cluster for row in rows}) for split, rows in curated.splits.items() if rows}
    rows = [[row["kind"], row["source"], str(row["of"]), percent(row)] for row in found]
    unrelated = [[row["kind"], row["source"], str(row["of"]), percent(row)] for row in wrong]
    text = (
        table(["planted leak", "of", "planted", "found, % [95% CI]"], rows)
        + "\n\n" + table(["unrelated", "from", "compared", "taken for leaks, % [95% CI]"], unrelated)
        + f"\n\nCurating {sizes['train']:,} training against {sizes['test']:,} test problems: {seconds:.0f} s in one "
        f"process. Dropped: {', '.join(f'{n} {reason}' for reason, n in sorted(drops(curated).items()))}. "
        f"The test split has {clusters.get('test', 0):,} clusters.\n"
    )  # fmt: skip
    print(text)
    write_result(
        "curation-self-check" if options.self_check else "curation",
        {"ngram": NGRAM, **sizes}, ["datasketch", "numpy"], self_check=options.self_check, seconds=seconds,
        dropped=drops(curated), clusters=clusters, recall=found, false_positives=wrong,
    )  # fmt: skip
    if not options.self_check:
        page(text)


def drops(curated: Any) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (_, _, reason), n in curated.dropped.items():
        counts[reason] += n
    return dict(counts)


if __name__ == "__main__":
    main()
