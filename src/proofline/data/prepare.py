"""The whole of `prepare`: sources -> curated splits, demonstrations, published candidates, and the report on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from proofline.config.schema import Prepare
from proofline.data.critiques import FILE, Published, read_published
from proofline.data.curation import Curated, curate
from proofline.data.demonstrations import write_demonstrations
from proofline.data.sources import ReadFolder, load_problems
from proofline.records import SPLITS, Demonstration, Problem, Split

Report = dict[str, "int | Report"]


@dataclass(frozen=True)
class Prepared:
    """What the stage writes."""

    splits: dict[Split, list[Problem]]
    demonstrations: list[Demonstration]
    published: Published
    report: Report


def prepare(section: Prepare, seed: int, read_folder: ReadFolder) -> Prepared:
    """Load, curate and report. `read_folder(name)` yields the rows of a file of the data folder."""
    curated = curate(load_problems(section, seed, read_folder), section)
    train = curated.splits["train"]
    demonstrations = write_demonstrations(train, section.demonstrations, seed)
    published = read_published(read_folder(FILE) if section.published_candidates else (), train)
    return Prepared(curated.splits, demonstrations, published, _report(curated, demonstrations, published))


def _report(curated: Curated, demonstrations: list[Demonstration], published: Published) -> Report:
    """Counts only, so that it is a DVC metric: by source what was read, kept and dropped; by split what there is."""
    kept = Counter((row.source, row.split) for rows in curated.splits.values() for row in rows)
    sources: Report = {}
    for source in sorted({source for source, _ in curated.read}):
        sources[source] = {
            "read": {split: curated.read[source, split] for split in SPLITS},
            "kept": {split: kept[source, split] for split in SPLITS},
            "dropped": _drops(curated, source),
        }
    return {
        "sources": sources,
        "splits": {split: _split(curated.splits[split]) for split in SPLITS},
        "demonstrations": _count("demonstrations", (row.style for row in demonstrations)),
        "published": dict(published.counts),
    }


def _drops(curated: Curated, source: str) -> Report:
    """`<split it came with>: {reason: count}`; moving to dev is no drop."""
    drops: Report = {}
    for split in SPLITS:
        reasons = {
            reason: n for (of, came, reason), n in sorted(curated.dropped.items()) if (of, came) == (source, split)
        }
        if reasons:
            drops[split] = dict(reasons)
    return drops


def _split(rows: list[Problem]) -> Report:
    return {**_count("problems", (row.family for row in rows)), "skeletons": len({row.skeleton for row in rows})}


def _count(total: str, names: Iterable[str]) -> Report:
    counts = Counter(names)
    return {total: counts.total(), **dict(sorted(counts.items()))}
