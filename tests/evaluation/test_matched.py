"""AUROC among candidates of one problem and one layout, and the rankings that it is held against."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented import Invented

from proofline.evaluation.baselines import CHEAP, baselines
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.ranking import comparable, within_problem
from proofline.evaluation.scored import Scored, agreement, gather
from proofline.evaluation.tally import tally
from proofline.evaluation.verifier_claims import strongest_cheap, tells

SCORES = [nan, 0.0, 0.2, 0.5, 0.5001, 0.9, 1.0]
rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from(SCORES), st.integers(0, 2)), min_size=1, max_size=12
)  # fmt: skip


def arrays(drawn: list[tuple[bool, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    right, scores, layouts = zip(*drawn, strict=True)
    return np.array([right], float), np.array([scores]), np.array([layouts])


@given(rows)
def test_only_candidates_of_one_layout_are_compared(drawn: list[tuple[bool, float, int]]) -> None:
    level = {False: lambda score: score, True: lambda score: -1.0}
    wins = [
        (a > b) + (a == b) / 2
        for (right, one, this), (wrong, other, that) in product(drawn, repeat=2)
        if right and not wrong and this == that
        for a, b in [(level[isnan(one)](one), level[isnan(other)](other))]
    ]
    right, scores, layouts = arrays(drawn)
    found = within_problem(right, scores, layouts)[0]
    assert isnan(found) if not wins else found == pytest.approx(np.mean(wins))
    assert comparable(right, layouts).sum() == len(wins)


@given(rows, st.integers(0, 5))
def test_where_all_look_alike_it_is_the_auroc_within_problems(
    drawn: list[tuple[bool, float, int]], layout: int
) -> None:
    right, scores, layouts = arrays(drawn)
    matched = within_problem(right, scores, np.full_like(layouts, layout))
    assert np.array_equal(matched, within_problem(right, scores), equal_nan=True)


@given(rows, st.lists(st.sampled_from(SCORES), min_size=3, max_size=3))
def test_what_the_layout_alone_says_is_worth_exactly_a_half(
    drawn: list[tuple[bool, float, int]], said: list[float]
) -> None:
    right, _, layouts = arrays(drawn)
    found = within_problem(right, np.array(said)[layouts], layouts)[0]
    assert isnan(found) or found == 0.5


@given(rows)
def test_only_the_order_of_the_scores_counts(drawn: list[tuple[bool, float, int]]) -> None:
    right, scores, layouts = arrays(drawn)
    found = within_problem(right, scores, layouts)
    for stretched in (scores**3 - 7, np.exp(20 * scores)):
        assert np.array_equal(found, within_problem(right, stretched, layouts), equal_nan=True)
    reversed_ = within_problem(right, -np.nan_to_num(scores, nan=-1.0), layouts)
    assert np.allclose(found + reversed_, np.where(np.isnan(found), np.nan, 1), equal_nan=True)


def test_a_verifier_of_layouts_is_seen_through(study: Invented) -> None:
    """As the layout alone, whatever it has within problems; and so are its best-of-N and its differences."""
    verifications = [
        row.model_copy(update={"p_yes": study.appearances[row.solution_id].equations / 4})
        for row in study.verifications
    ]
    overall = study.verifier(verifications)["overall"]
    assert overall["auroc_within"]["low"] > 0.55
    assert overall["auroc_within_layout"]["value"] == 0.5
    layout = overall["baselines"]["layout"]
    assert layout["auroc_within"] == overall["auroc_within"]
    assert layout["best_of"] == overall["best_of_n"][-1]["best_of"]
    assert all(over["difference"]["value"] == 0 for over in layout["genrm_over"].values())
    for over in layout["genrm_over"].values():
        assert over["difference"]["low"] < over["difference"]["value"] == 0 < over["difference"]["high"]
        assert over["p_value"] == 1


def test_baselines_are_told_beside_the_verifier(study: Invented) -> None:
    overall = study.verifier()["overall"]
    found = overall["baselines"]
    assert list(found) == ["layout", "length", "logprob", "logprob_per_token", "agreement", "program"]
    vote = overall["best_of_n"][-1]["majority"]
    assert found["agreement"]["best_of"] == pytest.approx(vote), "the best of all by agreement is the vote's"
    assert found["layout"]["auroc_within_layout"]["value"] == 0.5
    assert found["layout"]["auroc_within"]["value"] > 0.6
    assert found["program"]["auroc_within_layout"]["low"] > 0.85
    for name, baseline in found.items():
        over = baseline["genrm_over"]["auroc_within_layout"]["difference"]["value"]
        gap = overall["auroc_within_layout"]["value"] - baseline["auroc_within_layout"]["value"]
        assert over == pytest.approx(gap), name
    assert 0 < overall["matched_problems"] <= overall["mixed_problems"]


def test_a_cheap_ranking_is_read_in_its_better_direction(study: Invented) -> None:
    """Shorter or longer, fewer or more: turned about, the baselines are what they were."""
    turned = {
        name: replace(one, equations=9 - one.equations, characters=90 - one.characters, logprob=-one.logprob)
        for name, one in study.appearances.items()
    }
    there, back = (beside(replace(study, appearances=looks)) for looks in (study.appearances, turned))
    for name in ("layout", "length", "logprob", "logprob_per_token"):
        assert {key: there[name][key] for key in there[name]} == back[name]
        assert all(there[name][measure]["value"] >= 0.5 for measure in ("auroc_within", "auroc_within_layout"))


ANSWERS = st.sampled_from([None, "1/2", "0.5", "$0.5$", "7", "7.0", "x=7", "a word"])


@given(st.lists(ANSWERS, max_size=8).flatmap(lambda row: st.tuples(st.just(row), st.permutations(range(len(row))))))
def test_agreement_counts_the_samples_with_an_equal_answer_in_any_order(
    drawn: tuple[list[str | None], list[int]],
) -> None:
    row, order = drawn
    values = {"1/2": 0.5, "0.5": 0.5, "$0.5$": 0.5, "7": 7, "7.0": 7, "x=7": 7}
    kinds = [values.get(one, one) for one in row]
    found = agreement(row)
    assert found == [0 if kind is None else kinds.count(kind) for kind in kinds]
    assert agreement([row[at] for at in order]) == [found[at] for at in order]


def shuffled(study: Invented) -> Invented:
    """The same samples, each problem's in another order."""
    rng = np.random.default_rng(4)
    grades = list(study.sample_grades["dpo"])
    for start in range(0, len(grades), 8):
        grades[start : start + 8] = [grades[start + at] for at in rng.permutation(8)]
    return replace(study, sample_grades=study.sample_grades | {"dpo": grades})


def scored(study: Invented) -> Scored:
    return gather(tally(study.problems, study.sample_grades["dpo"]), study.verifications, study.appearances.items())


def beside(study: Invented) -> Metrics:
    """The baselines alone, which is quick."""
    return baselines(scored(study), Clusters.of(study.problems, study.section, 0))


def test_what_the_sampler_knows_ranks_alike_in_any_order_and_never_sees_a_grade(study: Invented) -> None:
    there, back = beside(study), beside(shuffled(study))
    for name in ("logprob", "logprob_per_token", "agreement"):
        for measure in ("auroc_within", "auroc_within_layout", "best_of"):
            assert there[name][measure] == pytest.approx(back[name][measure]), name
    asked = []
    for verdict in ("correct", "wrong"):
        grades = [grade.model_copy(update={"verdict": verdict}) for grade in study.sample_grades["dpo"]]
        asked.append(scored(replace(study, sample_grades={"dpo": grades})))
    for name, score in CHEAP.items():
        assert np.array_equal(*(score(one) for one in asked)), name


@pytest.mark.parametrize("tokens", [0, 40])
def test_a_log_probability_that_nobody_knows_is_not_beaten(study: Invented, tokens: int) -> None:
    """A server gave none for a problem's first sample, or for none at all, or no lengths."""
    some = {name: replace(one, num_tokens=tokens) for name, one in study.appearances.items()}
    first = study.sample_grades["dpo"][0].solution_id
    some[first] = replace(some[first], logprob=nan)
    found = beside(replace(study, appearances=some))
    counts = {name: found[name]["genrm_over"]["best_of"] for name in CHEAP}
    compared = {name: one["wins"] + one["losses"] + one["ties"] for name, one in counts.items()}
    assert compared == dict.fromkeys(CHEAP, 120) | {"logprob": 119, "logprob_per_token": 119 if tokens else 0}
    none = {name: replace(one, logprob=nan) for name, one in some.items()}
    part = {"matched_clusters": 90, "auroc_within_layout": {"value": 0.9, "low": 0.8, "high": 0.95}}
    assert tells(part | {"baselines": beside(study)}, 0.95)
    part["baselines"] = beside(replace(study, appearances=none))
    assert isnan(part["baselines"]["logprob"]["auroc_within_layout"]["value"])
    assert not tells(part, 0.95)
    assert strongest_cheap(part, "best_of") not in ("logprob", "logprob_per_token")


def test_errors_of_solutions_that_show_their_steps(study: Invented) -> None:
    overall = study.verifier()["overall"]
    counted = Counter(
        (row.p_yes > 0.5, row.label == "correct")
        for row in study.verifications
        if study.appearances[row.solution_id].worked
    )
    accepts, rejects = (overall["worked"][f"false_{error}_rate"] for error in ("accept", "reject"))
    assert accepts["value"] == pytest.approx(counted[True, False] / (counted[True, False] + counted[False, False]))
    assert rejects["value"] == pytest.approx(counted[False, True] / (counted[True, True] + counted[False, True]))
    assert accepts["low"] < accepts["value"] < accepts["high"]
