"""Choosing for equal compute: what a choice by GenRM costs, and the vote that the same tokens buy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented import Invented, invent

from proofline.evaluation.reranking import affordable, mean_of_chains
from proofline.evaluation.verifier_claims import compared_at
from proofline.verification.score import mean_p_yes

tokens = st.integers(1, 10_000)


def spending(study: Invented, solution: int, *chains: int) -> list[dict]:
    """The study's points of equal compute where each candidate and each of its chains has so many tokens."""
    appearances = {name: replace(one, num_tokens=solution) for name, one in study.appearances.items()}
    rows = [row.model_copy(update={"tokens_per_chain": chains}) for row in study.verifications]
    return Invented(**{**vars(study), "appearances": appearances}).verifier(rows)["overall"]["equal_compute"]


@given(st.integers(1, 64), tokens, tokens)
def test_the_vote_spends_no_more_and_one_sample_more_would(n: int, solving: int, verifying: int) -> None:
    votes = affordable(n, solving, verifying)
    assert votes * solving <= n * (solving + verifying) < (votes + 1) * solving
    assert affordable(n, solving, 0) == n


def test_a_point_for_each_number_of_samples_and_chains(study: Invented) -> None:
    points = spending(study, 40, 60, 50, 70, 60)
    assert sorted((point["chains"], point["n"]) for point in points) == [
        (chains, n) for chains in (1, 2, 4) for n in (2, 4, 8)
    ]
    assert [point["tokens"] for point in points] == sorted(point["tokens"] for point in points)
    by_choice = {(point["n"], point["chains"]): point for point in points}
    assert by_choice[8, 4]["tokens"] == 8 * (40 + 240)
    assert by_choice[2, 1]["tokens"] == 2 * (40 + 60)
    assert (by_choice[2, 1]["majority_affordable"], by_choice[2, 1]["majority_n"]) == (5, 5)
    assert (by_choice[8, 4]["majority_affordable"], by_choice[8, 4]["majority_n"]) == (56, 8)


def test_with_all_chains_the_choices_are_those_of_equal_samples(study: Invented) -> None:
    overall = study.verifier()["overall"]
    at = {point["n"]: point for point in overall["best_of_n"]}
    for point in overall["equal_compute"]:
        vote = at.get(point["majority_n"])
        assert vote is None or point["majority"] == vote["majority"]
        if point["chains"] == 4:
            for rule in ("best_of", "weighted"):
                assert point[rule]["value"] == pytest.approx(at[point["n"]][rule]["value"])


def test_verification_for_free_is_compared_at_equal_samples(study: Invented) -> None:
    for point in spending(study, 40, 0, 0, 0, 0):
        assert point["majority_n"] == point["majority_affordable"] == point["n"]
    dear = spending(study, 1, 500, 500, 500, 500)
    assert all(point["majority_n"] == 8 < point["majority_affordable"] for point in dear)


def test_what_is_told_is_the_largest_budget_that_the_samples_match(study: Invented) -> None:
    told = compared_at(spending(study, 40, 60, 50, 70, 60))
    assert told is not None
    assert (told["n"], told["chains"], told["majority_n"]) == (2, 2, 7)
    dear = compared_at(spending(study, 1, 500, 500, 500, 500))
    assert dear is not None
    assert (dear["n"], dear["chains"]) == (8, 4)
    assert compared_at([]) is None


def test_one_sample_a_problem_leaves_no_choice() -> None:
    assert invent(30, num_samples=1).verifier()["overall"]["equal_compute"] == []


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=6))
def test_chains_are_averaged_as_when_they_are_scored(chains: list[float]) -> None:
    import numpy as np

    assert float(mean_of_chains(np.array(chains))) == pytest.approx(mean_p_yes(chains), nan_ok=True)
