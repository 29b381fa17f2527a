"""Published results of models that recipes start from, each with the protocol that its publisher names.

They stand beside a policy's own numbers and are compared with none by a test: another prompt, other examples and
another reader measured them, on all problems of the benchmark.
"""

from __future__ import annotations

from typing import NamedTuple

from proofline.config.schema import Base


class PublishedResult(NamedTuple):
    """One number of one model."""

    model: str
    """Its hub id."""
    benchmark: str
    """As in `tally.BENCHMARKS`."""
    percent: float
    shots: int
    prompt: str
    reader: str
    source: str


_UNTOLD = "not published"
_REPORT = "Qwen2.5 technical report (arXiv 2412.15115)"
PUBLISHED = (
    PublishedResult("Qwen/Qwen2.5-0.5B-Instruct", "gsm8k/word", 49.6, 4, _UNTOLD, _UNTOLD, _REPORT),
    PublishedResult("Qwen/Qwen2.5-0.5B-Instruct", "math/math", 34.4, 4, _UNTOLD, _UNTOLD, _REPORT),
)


def published_for(base: Base) -> tuple[PublishedResult, ...]:
    """What is published of the recipe's starting policy."""
    return tuple(one for one in PUBLISHED if base.source == "hub" and one.model == base.model)
