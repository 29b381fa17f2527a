"""The items as JSON for the page's script.

Out: JSON that may stand inside `<script>`: no `<`, `>` or `&` in it. Texts stand once, in `texts`, and rows name them
by position; seeds are texts, because JavaScript's numbers hold 53 bits. A row is

    [flags, solution id, seed, text, verdict, reason, grader, second verdict, its reason, its grader]

with flags 1 right, 2 shows its steps, 4 accepted, 8 cut off; of a candidate also P(Yes) and its first chain. Where
all first chains together are too long for a page that opens at once, they are left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from proofline.evaluation.items import Candidate, Graded, Item, Items
from proofline.evaluation.study import TITLES, Study
from proofline.evaluation.tally import benchmark_of, benchmark_title

MAX_CHAINS = 8_000_000
"""Characters of different first chains; the embedded default has half a million."""
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


class Texts:
    """Each text once, by position."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}

    def __getitem__(self, text: str | None) -> int:
        return self.positions.setdefault(text or "", len(self.positions))


def page_data(items: Items, study: Study, max_chains: int = MAX_CHAINS) -> str:
    """The whole of it; the same items give the same text."""
    texts = Texts()
    chains = {_first_chain(one) for item in items.rows for one in item.candidates}
    with_chains = sum(map(len, chains)) <= max_chains
    rows = [_item(item, with_chains, texts) for item in items.rows]
    content = {
        "policies": list(TITLES),
        "titles": TITLES,
        "weights": {name: metrics["weights"] for name, metrics in study.policies.items()},
        "benchmarks": {name: benchmark_title(name) for name in items.benchmarks},
        "verified": items.verified,
        "samples": items.num_samples,
        "greedy": _decoding(next((one for item in items.rows for one in item.greedy.values()), None)),
        "sampled": _decoding(next((one for item in items.rows for one in item.candidates), None)),
        "chains": study.verifier["num_chains"],
        "items": rows,
        "texts": list(texts.positions),
    }
    return as_json(content)


def as_json(content: Mapping[str, Any]) -> str:
    """Compact, and harmless inside a `<script>`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(ESCAPES)


def _item(item: Item, with_chains: bool, texts: Texts) -> dict[str, Any]:
    return {
        "b": benchmark_of(item.problem),
        "g": [_row(item.greedy[policy], texts) for policy in TITLES],
        "r": [item.right_samples[policy] for policy in TITLES],
        "k": None if math.isnan(item.picked) else round(item.picked, 4),
        "c": [_candidate(one, with_chains, texts) for one in item.candidates],
    }


def _row(one: Graded, texts: Texts) -> list[Any]:
    solution, grade = one.solution, one.grade
    accepted = isinstance(one, Candidate) and one.accepted
    flags = one.right | one.shows_steps << 1 | accepted << 2 | (not solution.finished) << 3
    said = (grade.verdict, grade.reason, grade.grader, grade.second_verdict, grade.second_reason, grade.second_grader)
    return [flags, solution.id, *(texts[text] for text in (str(solution.seed), solution.text, *said))]


def _candidate(one: Candidate, with_chains: bool, texts: Texts) -> list[Any]:
    p_yes = None if math.isnan(one.verification.p_yes) else round(one.verification.p_yes, 4)
    return [*_row(one, texts), p_yes, texts[_first_chain(one) if with_chains else ""]]


def _first_chain(one: Candidate) -> str:
    return next(iter(one.verification.chains), "")


def _decoding(one: Graded | None) -> str:
    if one is None:
        return ""
    decoding = one.solution.decoding
    return f"temperature {decoding.temperature:g}, top_p {decoding.top_p:g}, at most {decoding.max_new_tokens} tokens"
