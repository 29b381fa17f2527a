"""What GenRM's ranking is held against: rankings that look at no arithmetic, and the program that does all of it.

In: `Scored`, `Clusters`. Out: per baseline the AUROC within problems, the AUROC within problems and layouts, the
accuracy of its best of all samples, and GenRM's paired difference in each.

`layout` ranks by the number of equations, `length` by characters; each in the direction that ranks better on these very
candidates, which favours the baseline. `program` recomputes the candidate's equations and looks for their operands in
the question: it is no cheap ranking but what a perfect reader of such chains would say.
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
}


def baselines(scored: Scored, clusters: Clusters) -> Metrics:
    """`{name: {measure: interval, "genrm_over": {measure: difference}}}`."""
    genrm = _measures(scored, scored.p_yes)
    found = {"program": _measures(scored, scored.check)}
    for name, score in CHEAP.items():
        ways = [_measures(scored, sign * score(scored)) for sign in (1, -1)]
        found[name] = {measure: max((way[measure] for way in ways), key=_mean) for measure in genrm}
    return {
        name: {
            **{measure: clusters.mean(values)._asdict() for measure, values in found[name].items()},
            "genrm_over": {
                measure: paired_json(clusters.compare(genrm[measure], values))
                for measure, values in found[name].items()
            },
        }
        for name in (*CHEAP, "program")
    }


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
