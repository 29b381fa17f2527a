"""The seeds as `docs/seeds.json` and as a Markdown table; the sentences that they allow; and the report's section.

In: `Seeds`. Shares are fractions in the file and percent in the table, AUROCs the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from proofline.evaluation.claims import DASH, confidence_words
from proofline.evaluation.markdown import table
from proofline.evaluation.statistics import Estimate
from proofline.seeds.measures import Measure
from proofline.seeds.spread import Measured, OverSeeds, over_seeds


@dataclass(frozen=True)
class Seeds:
    """What the runs under several seeds say together."""

    commit: str
    """That the experiments started from."""
    processor: str
    confidence: float
    seeds: tuple[int, ...]
    weights: tuple[dict[str, str], ...]
    """The hashes of the weights that each seed's run made, by policy."""
    rows: dict[str, OverSeeds]
    """By title; a measure that one of the seeds leaves undefined is left out."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Seeds:
        """Back from `as_json`, where undefined is null."""
        rows = {title: _row(row) for title, row in value["rows"].items()}
        seeds, weights = (tuple(value[name]) for name in ("seeds", "weights"))
        return cls(value["commit"], value["processor"], value["confidence"], seeds, weights, rows)


def gather(
    found: Mapping[int, Mapping[Measure, Measured]],
    weights: Sequence[dict[str, str]],
    commit: str,
    processor: str,
    confidence: float,
) -> Seeds:
    """Put together what each seed's report says."""
    every = [measure for measure in next(iter(found.values())) if all(measure in run for run in found.values())]
    rows = {one.title: over_seeds([run[one] for run in found.values()], one.null, confidence) for one in every}
    return Seeds(commit, processor, confidence, tuple(found), tuple(weights), rows)


def section(seeds: Seeds, weights: Mapping[str, str], seed: int) -> str:
    """What the report of a run with these weights says of other seeds: nothing of other recipes and machines."""
    title = "## Does it hold under other seeds?"
    if (seed, dict(weights)) not in zip(seeds.seeds, seeds.weights, strict=True):
        return (
            f"{title}\n\nNot known: docs/seeds.json has no run of these weights. `proofline seeds run 5 --output "
            "docs/seeds.json` makes it, and `dvc repro report` puts it here.\n"
        )
    about = (
        f"{len(seeds.seeds)} runs from commit {seeds.commit[:7]} on {seeds.processor}, this one's weights among them "
        f'(seed {seed}). Each has other problems, demonstrations, order, samples and test set. "Shown": runs whose own '
        "interval excludes no effect."
    )
    return f"{title}\n\n{about}\n\n{as_markdown(seeds)}\n"


def as_markdown(seeds: Seeds) -> str:
    """The table with what it says in words."""
    columns = [*(f"seed {seed}" for seed in seeds.seeds), f"mean [{confidence_words(seeds.confidence)}]"]
    rows = [_cells(title, row) for title, row in seeds.rows.items()]
    header = ["%; AUROC", *columns, "sd: training", "problems", "samples", "shown"]
    return "\n\n".join([*(f"- {sentence}" for sentence in sentences(seeds)), table(header, rows)])


def sentences(seeds: Seeds) -> list[str]:
    """Which effects hold over seeds, and which do not."""
    effects = {title: row for title, row in seeds.rows.items() if row.null == row.null}
    held = [title for title, row in effects.items() if row.holds]
    lost = [title for title in effects if title not in held]
    number = len(seeds.seeds)
    said = [f"Over {number} seeds {_listed(held)} {'hold' if len(held) > 1 else 'holds'}."] if held else []
    return said + ([f"Not shown over {number} seeds: {_listed(lost)}."] if lost else [])


def _cells(title: str, row: OverSeeds) -> list[str]:
    scale, digits = (1.0, 3) if "AUROC" in title else (100.0, 1)
    effect = row.null == row.null
    sign = "+" if effect and row.null == 0 else ""

    def spell(value: float, sign: str = sign) -> str:
        return DASH if value != value else f"{scale * value:{sign}.{digits}f}".replace("-", "−")

    mean, low, high = map(spell, row.mean)
    words = f"**{mean}**" if effect and row.holds else mean
    spreads = (spell(sd, "") for sd in (row.sd_training, row.sd_problems, row.sd_samples))
    shown = f"{row.shown} of {len(row.values)}" if effect else DASH
    return [title, *map(spell, row.values), f"{words} [{low}, {high}]", *spreads, shown]


def _listed(titles: Sequence[str]) -> str:
    return "; ".join(titles)


def _row(value: Mapping[str, Any]) -> OverSeeds:
    def number(one: float | None) -> float:
        return float("nan") if one is None else one

    mean = Estimate(*map(number, value["mean"]))
    rest = {name: number(value[name]) for name in ("sd_training", "sd_problems", "sd_samples", "null")}
    return OverSeeds(values=tuple(map(number, value["values"])), mean=mean, shown=value["shown"], **rest)
