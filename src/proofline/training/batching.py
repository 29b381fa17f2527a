"""What one optimizer step sees: the global batch, split over micro-batches and ranks, and the order of the rows.

The rows of every step are fixed by the recipe alone (row lengths, epochs, batch size, seed). The trainer then
walks them in sequence, and Accelerate deals consecutive micro-batches to the ranks, so a step holds the same rows
whatever the micro-batch or the number of ranks: a bigger cluster changes the speed, not the experiment.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proofline.config.schema import Training
from proofline.records import stable_id

BATCHES_PER_GROUP = 16
"""Rows are sorted by length within groups of so many batches, and the batches shuffled."""
WIDEST_MICRO_BATCH = 16
"""Rows of a micro-batch unless the environment sets it. On a CPU core the speed is flat from 8 to 32 rows."""


class BatchError(ValueError):
    """The global batch cannot be made of the given parts."""


@dataclass(frozen=True)
class BatchPlan:
    """A global batch of exactly `micro_batch * accumulation * world_size` rows."""

    micro_batch: int
    accumulation: int
    world_size: int


@dataclass(frozen=True)
class Schedule:
    """The rows of every step, in order."""

    batch: BatchPlan
    order: np.ndarray
    """Row indices, (steps * batch_size,)."""
    steps: int


def schedule_rows(lengths: Sequence[int], section: Training, seed: int, micro_batch: int | None) -> Schedule:
    """Lay out a training over rows of the given lengths in tokens, for the processes that the launcher started."""
    batch = plan_batch(section.batch_size, int(os.environ.get("WORLD_SIZE", "1")), micro_batch)
    order = order_rows(lengths, section.epochs, section.batch_size, seed)
    return Schedule(batch, order, steps=len(order) // section.batch_size)


def plan_batch(batch_size: int, world_size: int, micro_batch: int | None) -> BatchPlan:
    """Split the global batch exactly, or refuse. Without a `micro_batch`, the widest that divides a process's share."""
    if batch_size % world_size:
        raise BatchError(
            f"batch_size = {batch_size} rows cannot be shared by {world_size} processes. "
            f"Start a number of processes that divides {batch_size}, or change batch_size in params.yaml."
        )
    share = batch_size // world_size
    divisors = [rows for rows in range(1, share + 1) if share % rows == 0]
    if micro_batch is None:
        micro_batch = max(rows for rows in divisors if rows <= WIDEST_MICRO_BATCH)
    if micro_batch not in divisors:
        raise BatchError(
            f"micro_batch = {micro_batch} rows does not divide the {share} rows that each of {world_size} processes "
            f"has of a batch of {batch_size}. Set PROOFLINE_MICRO_BATCH to one of {divisors}."
        )
    return BatchPlan(micro_batch, share // micro_batch, world_size)


def order_rows(lengths: Sequence[int], epochs: float, batch_size: int, seed: int) -> np.ndarray:
    """Indices of the rows in training order, (steps * batch_size,): whole batches, the last one filled up.

    Each epoch is a new shuffle, and a batch that an epoch leaves unfilled is filled by the next. Within a group of
    batches of an epoch the rows are sorted by length, then the batches of the group are shuffled.
    """
    generator = np.random.default_rng(int(stable_id("row order", seed), 16))
    sizes = np.asarray(lengths)
    rows = len(sizes)
    steps = max(1, math.ceil(epochs * rows / batch_size - 1e-9))
    shuffles = math.ceil(steps * batch_size / rows)
    stream = np.concatenate([generator.permutation(rows) for _ in range(shuffles)])[: steps * batch_size]
    epoch_ends = [math.ceil(epoch * rows / batch_size) * batch_size for epoch in range(1, shuffles)]
    ordered = []
    for epoch in np.split(stream, epoch_ends):
        for start in range(0, len(epoch), BATCHES_PER_GROUP * batch_size):
            group = epoch[start : start + BATCHES_PER_GROUP * batch_size]
            group = group[np.argsort(sizes[group], kind="stable")]
            ordered.append(generator.permutation(group.reshape(-1, batch_size)).reshape(-1))
    return np.concatenate(ordered)
