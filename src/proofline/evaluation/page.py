"""The report as one HTML page, `reports/report.html`: the twin of `results.md`, and the items behind its numbers.

In: the report's Markdown, its pictures, the items, the counts of how the data were made, what trained the policies.
Out: the page's text. It needs no network and forbids itself any (Content-Security-Policy); the same input gives the
same bytes. Without JavaScript it is a document that lists the problems; with it the solutions can be read, and filtered
by what stands behind the hash: `#items?right=dpo&wrong=sft`. See `items` for the conditions.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proofline.config.schema import EVALUATED
from proofline.evaluation.cards import TRAININGS, Provenance
from proofline.evaluation.item_links import ANCHOR
from proofline.evaluation.items import Item, Items
from proofline.evaluation.page_body import Heading, page_body
from proofline.evaluation.page_data import page_data
from proofline.evaluation.study import TITLES, Study
from proofline.evaluation.tally import benchmark_of, benchmark_title

FOLDER = Path(__file__).parent
"""Of the page's frame, style and script."""


class Ledger(NamedTuple):
    """Counts of how data were made."""

    title: str
    path: str
    counts: Mapping[str, Any]

    @property
    def rows(self) -> list[tuple[str, str]]:
        return list(_flat(self.counts))


def report_page(
    markdown: str,
    pictures: Mapping[str, bytes],
    items: Items,
    study: Study,
    provenance: Provenance,
    ledgers: Sequence[Ledger],
) -> str:
    """`pictures`: PNG files by the address that the Markdown gives them.

    Raises PageError where a number contradicts its items, or a picture is missing.
    """
    body = page_body(markdown, pictures, items)
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    frame = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    own = [Heading(2, "Data", "data"), Heading(2, "Weights, runs and versions", "weights"), Heading(2, "Items", ANCHOR)]
    return frame.get_template("page.html").render(
        title=body.title,
        headings=[heading for heading in (*body.headings, *own) if heading.level == 2],
        body=body.html,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=page_data(items, study),
        policies=[(name, TITLES[name]) for name in EVALUATED],
        benchmarks=[(name, benchmark_title(name)) for name in items.benchmarks],
        verified=TITLES[items.verified],
        weights=list(_weights(study)),
        datasets=[(one.path, f"{one.rows:,}", one.md5) for one in provenance.datasets.values()],
        ledgers=ledgers,
        items=[(item, benchmark_title(benchmark_of(item.problem)), _marks(item)) for item in items.rows],
    )


def _hash(text: str) -> str:
    """By which the page's policy allows this style or script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _weights(study: Study) -> Iterator[tuple[str, str, str]]:
    """Policy, its weights, what it was trained from."""
    for name in study.policies:
        start = TRAININGS[name].start if name in TRAININGS else study.parts[0].before
        yield TITLES[name], study.policies[name]["weights"], TITLES[start] if start else ""


def _marks(item: Item) -> list[tuple[str, str, str]]:
    """For each policy a sign, the verdict and the policy's title."""
    signs = {"correct": "✓", "wrong": "✗", "unparsed": "?"}
    return [
        (signs[graded.grade.verdict], graded.grade.verdict, TITLES[policy]) for policy, graded in item.greedy.items()
    ]


def _flat(counts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in counts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{re.sub('_', ' ', name)} · ")
        else:
            words = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else value
            yield f"{prefix}{re.sub('_', ' ', name)}", str(words)
