from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.training.batching import BatchError, order_rows, plan_batch


@given(batch_size=st.integers(1, 64), world_size=st.integers(1, 9), micro_batch=st.none() | st.integers(1, 70))
def test_a_plan_gives_the_global_batch_exactly_or_is_refused(
    batch_size: int, world_size: int, micro_batch: int | None
) -> None:
    try:
        plan = plan_batch(batch_size, world_size, micro_batch)
    except BatchError:
        assert batch_size % world_size or (batch_size // world_size) % (micro_batch or 1)
    else:
        assert plan.micro_batch * plan.accumulation * plan.world_size == batch_size
        assert micro_batch in (None, plan.micro_batch)


def test_a_refusal_names_the_choices() -> None:
    with pytest.raises(BatchError, match=r"micro_batch = 5 .*one of \[1, 2, 4, 8\]"):
        plan_batch(16, 2, 5)
    with pytest.raises(BatchError, match="32 rows cannot be shared by 3 processes"):
        plan_batch(32, 3, None)


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=200),
    epochs=st.floats(0.1, 3.0),
    batch_size=st.integers(1, 16),
    seed=st.integers(0, 2**31),
)
def test_every_row_is_seen_once_an_epoch_and_every_step_is_full(
    lengths: list[int], epochs: float, batch_size: int, seed: int
) -> None:
    order = order_rows(lengths, epochs, batch_size, seed)
    assert len(order) % batch_size == 0
    assert epochs * len(lengths) - 1e-6 <= len(order) < epochs * len(lengths) + batch_size
    times = np.bincount(order, minlength=len(lengths))
    assert times.max() - times.min() <= 1
    assert np.array_equal(order, order_rows(lengths, epochs, batch_size, seed))


def test_rows_of_a_step_are_of_like_length_and_steps_are_shuffled() -> None:
    lengths = np.random.default_rng(0).integers(20, 300, size=2048)
    batches = lengths[order_rows(lengths, 1.0, 32, seed=0)].reshape(-1, 32)
    padding = 1 - batches.sum() / (batches.max(axis=1) * 32).sum()
    shuffled = lengths.reshape(-1, 32)
    assert padding < 0.06 < 1 - shuffled.sum() / (shuffled.max(axis=1) * 32).sum()
    assert abs(np.corrcoef(np.arange(len(batches)), batches.mean(axis=1))[0, 1]) < 0.4


def test_no_row_is_twice_in_a_step_of_a_small_set() -> None:
    batches = order_rows([10, 20, 30, 40] * 4, 4.0, 8, seed=0).reshape(-1, 8)
    assert all(len(set(batch)) == 8 for batch in batches.tolist())


def test_another_seed_is_another_order() -> None:
    assert not np.array_equal(order_rows([10] * 50, 1.0, 5, seed=0), order_rows([10] * 50, 1.0, 5, seed=1))
