"""Choosing among a problem's samples: what GenRM's choice gives beside the vote, for equal samples and equal compute.

In: `Scored`, `Clusters`. Out: curves with intervals, and paired differences.

Compute is generated tokens per problem, verification included, as in Singhi et al. (2025), "When To Solve, When To
Verify": N samples of s tokens, each with c chains of v tokens, cost N (s + c v), the vote of m samples m s. Each choice
by GenRM stands beside the vote that its tokens buy: m = floor(N (s + c v) / s), and all samples there are where that is
more of them; then the vote has spent less. s and v are means over all candidates, prompts are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics, paired_json
from proofline.evaluation.scored import Scored
from proofline.evaluation.selection import Floats, Ints, best_of_k, ladder, pass_at_k, vote_at_k

Rule = Callable[[Ints, Floats, int], float]
RULES: dict[str, Rule] = {
    "best_of": best_of_k,
    "majority": lambda answers, scores, k: vote_at_k(answers, k),
    "weighted": lambda answers, scores, k: vote_at_k(answers, k, scores),
    "oracle": lambda answers, scores, k: pass_at_k(answers, k),
}


def equal_samples(scored: Scored, clusters: Clusters) -> Metrics:
    """The curves over N, and the gain at the largest N over one sample and over the vote."""
    num_samples = scored.answers.shape[1]
    curve, shares = [], {}
    for n in ladder(num_samples) if num_samples else []:
        shares = {name: chosen(rule, scored.answers, scored.p_yes, n) for name, rule in RULES.items()}
        curve.append({"n": n, **{name: clusters.mean(values)._asdict() for name, values in shares.items()}})
    if not shares:
        return {"best_of_n": [], "gains": {}}
    pairs = {
        "best_of_over_one": (shares["best_of"], scored.right.mean(axis=1)),
        "best_of_over_majority": (shares["best_of"], shares["majority"]),
        "weighted_over_majority": (shares["weighted"], shares["majority"]),
    }
    return {
        "best_of_n": curve,
        "gains": {name: paired_json(clusters.compare(*pair)) for name, pair in pairs.items()},
    }


def equal_compute(scored: Scored, clusters: Clusters) -> list[Metrics]:
    """For each number of chains and of samples: GenRM's choices, and the vote that the same tokens buy, cheapest first.

    `majority_affordable` is how many samples these would be, `majority_n` how many of them there are.
    """
    num_samples, solving = scored.answers.shape[1], int(scored.tokens.sum())

    @cache
    def vote(n: int) -> Floats:
        return chosen(RULES["majority"], scored.answers, scored.p_yes, n)

    points = []
    for chains in ladder(scored.chains.shape[2]):
        verifying = int(scored.chain_tokens[:, :, :chains].sum())
        scores = mean_of_chains(scored.chains[:, :, :chains])
        for n in (n for n in ladder(num_samples) if n > 1):
            buys = affordable(n, solving, verifying)
            majority = vote(min(buys, num_samples))
            point = {
                "n": n,
                "chains": chains,
                "tokens": n * (solving + verifying) / scored.tokens.size,
                "majority_affordable": buys,
                "majority_n": min(buys, num_samples),
                "majority": clusters.mean(majority)._asdict(),
            }
            for name in ("best_of", "weighted"):
                shares = chosen(RULES[name], scored.answers, scores, n)
                point[name] = clusters.mean(shares)._asdict()
                point[f"{name}_over_majority"] = paired_json(clusters.compare(shares, majority))
            points.append(point)
    return sorted(points, key=lambda point: point["tokens"])


def affordable(n: int, solving: int, verifying: int) -> int:
    """How many samples cost what `n` verified ones do; the tokens are those of solving and verifying as many."""
    return n * (solving + verifying) // max(solving, 1)


def mean_of_chains(chains: Floats) -> Floats:
    """A candidate's score from some of its chains, as `verification.score` makes it of all: without a verdict is 0."""
    return np.where(np.isnan(chains).all(axis=-1), np.nan, np.nan_to_num(chains, nan=0.0).mean(axis=-1))


def chosen(rule: Rule, answers: Ints, scores: Floats, n: int) -> Floats:
    """(problems,): the chance that the rule chooses a right one among `n` of a problem's samples."""
    return np.array([rule(a, s, n) for a, s in zip(answers, scores, strict=True)], float)
