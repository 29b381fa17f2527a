"""The expected value of picking one of k samples, against enumeration of every subset."""

from itertools import combinations
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.evaluation import selection
from proofline.evaluation.selection import RIGHT, UNREAD, best_of_k, ladder, pass_at_k, vote_at_k

rows = st.lists(st.integers(UNREAD, 2), min_size=1, max_size=7)
scored = st.lists(
    st.tuples(st.integers(UNREAD, 2), st.sampled_from([float("nan"), 0.0, 0.3, 0.5, 1.0])), min_size=1, max_size=7
)


def by_enumeration(answers, k, pick) -> float:
    """Mean over all k-subsets of the share of right answers among the tied picks."""
    shares = []
    for members in combinations(range(len(answers)), k):
        picks = pick(members)
        shares.append(sum(answer == RIGHT for answer in picks) / len(picks) if picks else 0.0)
    return float(np.mean(shares))


@given(rows, st.data())
def test_pass_at_k(row: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(row)))
    answers = np.array(row)
    expected = by_enumeration(row, k, lambda m: [RIGHT] if any(row[i] == RIGHT for i in m) else [])
    assert pass_at_k(answers, k) == pytest.approx(expected)


@given(rows, st.data())
@settings(deadline=None)
def test_majority_vote(row: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(row)))

    def pick(members: tuple[int, ...]) -> list[int]:
        votes = [row[i] for i in members if row[i] != UNREAD]
        return [a for a in set(votes) if votes.count(a) == max(votes.count(b) for b in votes)]

    assert vote_at_k(np.array(row), k) == pytest.approx(by_enumeration(row, k, pick))


@given(scored, st.data())
@settings(deadline=None)
def test_weighted_vote(pairs: list[tuple[int, float]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(pairs)))

    def pick(members: tuple[int, ...]) -> list[int]:
        totals: dict[int, float] = {}
        for answer, weight in (pairs[i] for i in members):
            if answer != UNREAD:
                totals[answer] = totals.get(answer, 0.0) + (0.0 if isnan(weight) else weight)
        return [a for a, total in totals.items() if total >= max(totals.values()) - 1e-9]

    answers, weights = (np.array(column) for column in zip(*pairs, strict=True))
    assert vote_at_k(answers, k, weights) == pytest.approx(by_enumeration(answers, k, pick))


@given(scored, st.data())
def test_best_of_k(pairs: list[tuple[int, float]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(pairs)))

    def pick(members: tuple[int, ...]) -> list[int]:
        ranks = [(-1.0 if isnan(pairs[i][1]) else pairs[i][1], pairs[i][0]) for i in members]
        return [answer for score, answer in ranks if score == max(ranks)[0]]

    answers, scores = (np.array(column) for column in zip(*pairs, strict=True))
    assert best_of_k(answers, scores, k) == pytest.approx(by_enumeration(answers, k, pick))


def test_a_perfect_verifier_reaches_the_oracle_and_a_constant_one_a_single_sample() -> None:
    answers = np.array([RIGHT, 1, 1, 2, UNREAD, RIGHT, 3, 1])
    for k in (1, 2, 4, 8):
        assert best_of_k(answers, (answers == RIGHT).astype(float), k) == pytest.approx(pass_at_k(answers, k))
        assert best_of_k(answers, np.full(8, 0.4), k) == pytest.approx(2 / 8)


def test_one_sample_is_one_vote() -> None:
    answers = np.array([RIGHT, 1, UNREAD, UNREAD])
    assert vote_at_k(answers, 1) == pass_at_k(answers, 1) == 0.25


def test_more_than_there_are_is_undefined() -> None:
    answers = np.array([RIGHT, 1])
    for k in (0, 3):
        assert isnan(pass_at_k(answers, k))
        assert isnan(vote_at_k(answers, k))
        assert isnan(best_of_k(answers, np.zeros(2), k))


def test_many_samples_are_estimated_close_to_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = np.array([RIGHT] * 5 + [1] * 4 + [2] * 3)
    exact = vote_at_k(answers, 6)
    selection.subsets.cache_clear()
    monkeypatch.setattr(selection, "MAX_SUBSETS", 900)
    drawn = vote_at_k(answers, 6)
    selection.subsets.cache_clear()
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.04)


def test_ladder() -> None:
    assert ladder(8) == [1, 2, 4, 8]
    assert ladder(6) == [1, 2, 4, 6]
    assert ladder(1) == [1]
