"""P(Yes): read at the verdict's own token, whatever comes before or after it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from verifier_by_heart import ByHeart

from proofline.config.schema import Prompts, Verification
from proofline.data.prompts import verdict
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Solution
from proofline.sampling.request import Completion
from proofline.verification.score import mean_p_yes, p_yes, verdict_position, verify

LINE = [40, 41, 42]
YES, NO = 7, 8
PROMPTS = Prompts(solution="{question}", verification="{question}\n{candidate}")


def completion(tokens: list[int], scores: dict[int, tuple[float, float]]) -> Completion:
    tracked = np.log(np.array([scores.get(i, (0.5, 0.5)) for i in range(len(tokens))], dtype=np.float32))
    return Completion("s", 0, 0, tokens, -1.0, True, tracked.reshape(len(tokens), 2))


def test_the_score_is_read_at_the_verdict_and_nowhere_else() -> None:
    tokens = [YES, 1, 2, *LINE, NO]
    at = len(tokens) - 1
    assert p_yes(
        completion(tokens, {at: (0.1, 0.3), 0: (0.9, 0.1), at - 1: (0.8, 0.1)}), LINE, (YES, NO)
    ) == pytest.approx(0.25)
    padded = completion([*tokens, 0, 0], {at: (0.1, 0.3), at + 1: (0.9, 0.05), at + 2: (0.9, 0.05)})
    assert p_yes(padded, LINE, (YES, NO)) == pytest.approx(0.25)


def test_a_chain_without_a_verdict_has_no_score() -> None:
    for tokens in ([], LINE, [YES], [*LINE, 5], [*LINE[1:], YES]):
        assert math.isnan(p_yes(completion(tokens, {}), LINE, (YES, NO)))


@given(st.lists(st.sampled_from([1, 2, *LINE, YES, NO]), max_size=30), st.sampled_from([YES, NO]))
def test_the_last_verdict_counts(tokens: list[int], verdict: int) -> None:
    assert verdict_position([*tokens, *LINE, verdict], LINE, (YES, NO)) == len(tokens) + 3
    at = verdict_position(tokens, LINE, (YES, NO))
    assert at is None or (tokens[at] in (YES, NO) and tokens[at - 3 : at] == LINE)


def test_a_lone_survivor_of_lost_chains_does_not_win() -> None:
    """A candidate whose chains were lost but for one lucky one, against three that say 0.8 (promptfoo#9978)."""
    nan = math.nan
    assert mean_p_yes((nan, nan, 0.9)) == pytest.approx(0.3)
    assert mean_p_yes((nan, nan, 0.9)) < mean_p_yes((0.8, 0.8, 0.8))
    assert mean_p_yes((nan, 0.9, 0.9)) < mean_p_yes((0.7, 0.7, 0.7))
    assert mean_p_yes((nan, nan, 1.0)) < mean_p_yes((0.4, 0.4, 0.4))
    assert math.isnan(mean_p_yes((nan, nan, nan))), "nobody knows, and that is not No"


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=8))
def test_losing_a_chain_never_helps_a_candidate(scores: list[float]) -> None:
    whole = mean_p_yes(scores)
    for at, score in enumerate(scores):
        lost = mean_p_yes([*scores[:at], math.nan, *scores[at + 1 :]])
        assert math.isnan(lost) or (not math.isnan(score) and lost <= whole + 1e-12) or math.isnan(score)


def test_candidates_are_scored_in_order_with_their_labels(tiny_policy: Path) -> None:
    problems = list(generate_problems("dev", 3, 0))
    decoding = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=8)
    candidates = [
        (problem, Solution(id=problem.id + "-s", problem_id=problem.id, policy="sft", weights="w", decoding=decoding,
                           sample_index=0, seed=0, text="#### 1", num_tokens=3, logprob=-1.0, finished=True), "wrong")
        for problem in problems
    ]  # fmt: skip
    section = Verification(policy="sft", num_chains=3, temperature=0.7, top_p=1.0, max_new_tokens=12)
    rows = verify(tiny_policy, candidates, PROMPTS, section, 0, rows=4)
    assert [row.solution_id for row in rows] == [solution.id for _, solution, _ in candidates]
    assert all(row.label == "wrong" and len(row.chains) == len(row.p_yes_per_chain) == 3 for row in rows)
    assert all(len(row.tokens_per_chain) == 3 and all(0 < n <= 12 for n in row.tokens_per_chain) for row in rows)
    assert all(math.isnan(row.p_yes) for row in rows), "a random model writes no verdict line"
    again = verify(tiny_policy, candidates[::-1], PROMPTS, section, 0, rows=2)
    assert [row.chains for row in again[::-1]] == [row.chains for row in rows]


def test_the_score_of_a_sampled_chain_is_that_of_a_forward_pass(by_heart: ByHeart) -> None:
    """End to end: a model that has learnt one chain by heart, with a verdict that is Yes three times in four."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(by_heart.folder)
    model = AutoModelForCausalLM.from_pretrained(by_heart.folder, dtype=torch.float32)
    section = Verification(policy="sft", num_chains=16, temperature=1.0, top_p=1.0, max_new_tokens=64)
    (row,) = verify(by_heart.folder, [by_heart.candidate], by_heart.prompts, section, 0, rows=4)
    scored = [(chain, p) for chain, p in zip(row.chains, row.p_yes_per_chain, strict=True) if not math.isnan(p)]
    assert {chain.split()[-1] for chain, _ in scored} == {"Yes", "No"}
    words = [tokenizer(verdict(label))["input_ids"][-1] for label in (True, False)]
    for chain, p in scored:
        read = tokenizer(by_heart.prompt + chain[: chain.rindex("?") + 1], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = model(input_ids=read).logits[0, -1, words].softmax(-1)[0]
        assert p == pytest.approx(float(expected), abs=1e-4)
        assert 0.5 < p < 0.95, "whichever of the two was drawn"
    assert row.p_yes == pytest.approx(sum(p for _, p in scored) / section.num_chains)
