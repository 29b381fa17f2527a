"""What GenRM's ranking is held against: rankings that look at no arithmetic, and the program that does all of it.

In: `Scored`, `Clusters`. Out: per baseline the AUROC within problems, the AUROC within problems and layouts, the
accuracy of its best of all samples, and GenRM's paired difference in each.

What a candidate looks like: `layout` ranks by the number of equations, `length` by characters. What its sampler knows:
`logprob` ranks by the log-probability of the whole candidate, `logprob_per_token` by the mean of its tokens', and
`agreement` by how many of the problem's samples have the same answer. Each in the direction that ranks better on these
very candidates, which favours the baseline. `program` recomputes the candidate's equations and looks for their operands
in the question: it is no cheap ranking but what a perfect reader of such chains would say.

A server may leave log-probabilities out (NaN). Where one of a problem's is not known the ranking is undefined there,
and so is GenRM's difference to it: what was not measured is not beaten.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics, paired_json
from proofline.evaluation.ranking import within_problem
from proofline.evaluation.scored import Scored
from proofline.evaluation.selection import Floats, best_of_k

CHEAP: dict[str, Callable[[Scored], Floats]] = {
    "layout": lambda scored: scored.equations,
    "length": lambda scored: scored.characters,
    "logprob": lambda scored: scored.logprobs,
    "logprob_per_token": lambda scored: scored.logprobs / np.where(scored.tokens > 0, scored.tokens, np.nan),
    "agreement": lambda scored: scored.agreement,
}
VOTE = "agreement"
"""The one whose best of all samples is the majority vote's choice."""


def baselines(scored: Scored, clusters: Clusters) -> Metrics:
    """`{name: {measure: interval, "genrm_over": {measure: difference}}}`."""
    genrm = _measures(scored, scored.p_yes)
    found = {name: _better(scored, score(scored)) for name, score in CHEAP.items()}
    found["program"] = _measures(scored, scored.check)
    return {
        name: {
            **{measure: clusters.mean(values)._asdict() for measure, values in found[name].items()},
            "genrm_over": {
                measure: paired_json(clusters.compare(genrm[measure], values))
                for measure, values in found[name].items()
            },
        }
        for name in found
    }


def _better(scored: Scored, score: Floats) -> dict[str, Floats]:
    """In the better direction; NaN also where a score of the problem is not known."""
    known = ~np.isnan(score).any(axis=1)
    ways = [_measures(scored, sign * score) for sign in (1, -1)]
    return {measure: max((np.where(known, way[measure], np.nan) for way in ways), key=_mean) for measure in ways[0]}


def _measures(scored: Scored, score: Floats) -> dict[str, Floats]:
    """Per problem, NaN where undefined."""
    most = scored.answers.shape[1]
    return {
        "auroc_within": within_problem(scored.right, score),
        "auroc_within_layout": within_problem(scored.right, score, scored.layouts),
        "best_of": np.array([best_of_k(a, s, most) for a, s in zip(scored.answers, score, strict=True)], float),
    }


def _mean(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else 0.0
