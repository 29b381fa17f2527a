"""What every topic returns, and how it chooses its words."""

from __future__ import annotations

from random import Random

from proofline.data.synthetic.steps import Step

Exercise = tuple[str, str, list[Step], tuple[int, int] | None]
"""Skeleton, question, steps, fraction."""


def phrase(rng: Random, topic: str, phrasings: tuple[str, ...], **numbers: object) -> tuple[str, str]:
    """One of the phrasings with its numbers, and the skeleton: topic and the phrasing's index."""
    index = rng.randrange(len(phrasings))
    return f"{topic}{index}", phrasings[index].format(**numbers)
