"""The whole of `prepare`: sources -> curated splits, demonstrations, published candidates, and the report on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proofline.config.schema import Prepare
from proofline.data.critiques import FILE, Published, read_published
from proofline.data.curation import Curated, curate
from proofline.data.demonstrations import write_demonstrations
from proofline.data.own import Locate, load_own
from proofline.data.published import SourceError
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


def prepare(section: Prepare, seed: int, read_folder: ReadFolder, locate: Locate = str) -> Prepared:
    """Load, curate and report. `read_folder(name)` yields the rows of a file of the data folder, `locate(path)` says
    where a file lies that the recipe names. Raises SourceError."""
    own = {name: load_own(name, section.own[name], locate) for name in section.sources if name in section.own}
    curated = curate(load_problems(section, seed, read_folder, own), section)
    train = curated.splits["train"]
    templated = {key: text for brought in own.values() for key, text in brought.demonstrations.items()}
    demonstrations = write_demonstrations(train, section.demonstrations, seed, templated)
    _check_enough(curated, demonstrations)
    published = read_published(read_folder(FILE) if section.published_candidates else (), train)
    return Prepared(curated.splits, demonstrations, published, _report(curated, templated, demonstrations, published))


def _check_enough(curated: Curated, demonstrations: list[Demonstration]) -> None:
    """Raises SourceError where nothing is left to train on, to evaluate on, or to demonstrate."""
    for split in ("train", "test"):
        if not curated.splits[split]:
            came = sum(count for (_, of), count in curated.read.items() if of == split)
            reasons: Counter[str] = Counter()
            for (_, of, reason), count in curated.dropped.items():
                reasons[reason] += count if of == split else 0
            raise SourceError(
                f"no {split} problem is left: {came} came, dropped were {dict(+reasons) or 'none'}, "
                f"{len(curated.splits['dev'])} problems are in dev; bring more problems, or change how they are split"
            )
    if not demonstrations:
        raise SourceError(
            "no training problem has a demonstration; give rows a solution, or set prepare.own.NAME.demonstration"
        )


def _report(
    curated: Curated,
    templated: Mapping[str, str | None],
    demonstrations: list[Demonstration],
    published: Published,
) -> Report:
    """Counts only, so that it is a DVC metric: by source what was read, kept and dropped; by split what there is."""
    kept = Counter((row.source, row.split) for rows in curated.splits.values() for row in rows)
    without = Counter(row.source for row in curated.splits["train"] if templated.get(row.id, "") is None)
    sources: Report = {}
    for source in sorted({source for source, _ in curated.read}):
        sources[source] = {
            "read": {split: curated.read[source, split] for split in SPLITS},
            "kept": {split: kept[source, split] for split in SPLITS},
            "dropped": _drops(curated, source),
            **({"without_demonstration": without[source]} if source in without else {}),
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
