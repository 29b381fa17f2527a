"""Seeds, uniforms and the draw of a token."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from proofline.sampling.draw import draw
from proofline.sampling.seeds import sample_seed, signed, uniforms


def test_a_seed_is_the_same_for_ever() -> None:
    assert sample_seed(0, "synthetic-1", 0) == 11738462837572851
    assert len({sample_seed(r, p, i) for r in range(5) for p in "abcde" for i in range(5)}) == 125


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_a_uniform_depends_on_its_seed_and_position_alone(seed: int, position: int) -> None:
    alone = uniforms(torch.tensor([signed(seed)]), torch.tensor([position]))
    among = uniforms(torch.tensor([7, signed(seed), 9]), torch.tensor([0, position, 3]))
    assert alone[0] == among[1]
    assert 0.0 <= alone[0] < 1.0


def test_uniforms_are_uniform_over_positions_and_over_seeds() -> None:
    from scipy.stats import kstest

    many = torch.arange(20_000)
    over_positions = uniforms(torch.full((20_000,), 12345), many)
    seeds = torch.tensor([signed(sample_seed(0, "p", int(i))) for i in many])
    assert kstest(over_positions, "uniform").pvalue > 1e-3
    assert kstest(uniforms(seeds, torch.zeros_like(seeds)), "uniform").pvalue > 1e-3


def test_the_draw_follows_the_tempered_distribution() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    uniform = torch.linspace(0, 1, 100_001, dtype=torch.float64)[:-1]
    tokens = draw(logits.expand(100_000, -1), uniform, temperature=0.7, top_p=1.0)
    shares = torch.bincount(tokens, minlength=4) / 100_000
    assert torch.allclose(shares, torch.softmax(logits / 0.7, -1), atol=1e-4)


def test_the_nucleus_keeps_the_likeliest_tokens_and_at_least_one() -> None:
    logits = torch.log(torch.tensor([0.5, 0.1, 0.3, 0.1]))
    uniform = torch.linspace(0, 1, 10_001, dtype=torch.float64)[:-1]
    tokens = draw(logits.expand(10_000, -1), uniform, temperature=1.0, top_p=0.6)
    assert set(tokens.tolist()) == {0, 2}
    assert draw(logits.expand(10_000, -1), uniform, temperature=1.0, top_p=0.01).unique().tolist() == [0]


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000))
def test_uniforms_are_those_of_splitmix64(seed: int, position: int) -> None:
    z = (seed + (position + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    expected = ((z ^ (z >> 31)) >> 11) * 2.0**-53
    assert uniforms(torch.tensor([signed(seed)]), torch.tensor([position])).item() == expected


@given(st.integers(1, 700), st.integers(0, 2**32), st.floats(0, 1, exclude_max=True))
def test_the_token_is_the_first_whose_running_sum_exceeds_the_uniform(size: int, seed: int, at: float) -> None:
    logits = torch.randn(3, size, generator=torch.Generator().manual_seed(seed)) * 4
    sums = torch.softmax(logits, -1).cumsum(-1, dtype=torch.float64)
    expected = (sums <= at * sums[:, -1:]).sum(-1)
    assert draw(logits, torch.full((3,), at, dtype=torch.float64), 1.0, 1.0).tolist() == expected.tolist()


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_temperature_zero_takes_the_largest(values: list[float]) -> None:
    logits = torch.tensor([values])
    assert draw(logits, torch.tensor([0.99]), 0.0, 1.0).item() == int(logits.argmax())
