"""How good the GenRM is as a verifier, beside rankings that look at no arithmetic, and what reranking with it gains.

In: verifications (mean P(Yes) per candidate), grades and appearances of the same candidates, their problems.
Out: a JSON-able dictionary, overall and per benchmark; an interval is `{"value", "low", "high"}`, and related problems
are resampled together.

The headline is the AUROC within problems and layouts: right and wrong candidates of one problem that look alike.
P(Yes) above 0.5 accepts. A candidate without a verdict (NaN) is not accepted, ranks below all others and has no
weight in the vote. `wrong` means not right: a candidate without a readable answer is to be rejected as well.
Rates, AUROC and best-of-N follow Zhang et al. (2024), "Generative Verifiers"; the weighted vote Li et al. (2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.baselines import baselines
from proofline.evaluation.calibration import calibration
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.ranking import comparable, pooled_estimate, within_problem
from proofline.evaluation.reranking import equal_compute, equal_samples
from proofline.evaluation.scored import Appearance, Scored, gather
from proofline.evaluation.selection import Floats
from proofline.evaluation.tally import tally
from proofline.records import Grade, Problem, Verification


def evaluate_verifier(
    problems: Sequence[Problem],
    verifications: Sequence[Verification],
    grades: Iterable[Grade],
    appearances: Iterable[tuple[str, Appearance]],
    section: Evaluation,
    seed: int,
) -> Metrics:
    """All metrics over the candidates that have a verification. `appearances` with solution ids.

    `seed` decides the bootstrap's draws alone. Raises EvaluationError where candidates were not verified, graded or
    looked at alike.
    """
    seen, verified = {row.problem_id for row in verifications}, {row.solution_id for row in verifications}

    def ours() -> Iterable[Problem]:
        return (problem for problem in problems if problem.id in seen)

    table = tally(ours(), (grade for grade in grades if grade.solution_id in verified))
    scored = gather(table, verifications, appearances)
    clusters = Clusters.of(ours(), section, seed)

    def measure(scored: Scored, clusters: Clusters) -> Metrics:
        return {
            **_discrimination(scored, clusters),
            "baselines": baselines(scored, clusters),
            **equal_samples(scored, clusters),
            "equal_compute": equal_compute(scored, clusters),
        }

    return {
        "num_samples": int(table.answers.shape[1]),
        "num_chains": int(scored.chains.shape[2]),
        "confidence": section.confidence,
        "overall": measure(scored, clusters),
        "benchmarks": {name: measure(scored[rows], clusters[rows]) for name, rows in table.parts().items()},
    }


def _discrimination(scored: Scored, clusters: Clusters) -> Metrics:
    right, p_yes, pairs = scored.right, scored.p_yes, comparable(scored.right, scored.layouts)
    matched = pairs.sum(axis=(1, 2)) > 0
    accepted = (p_yes > 0.5).astype(float)
    return {
        "problems": len(right),
        "mixed_problems": int(np.isfinite(within_problem(right, p_yes)).sum()),
        "matched_problems": int(matched.sum()),
        "matched_clusters": clusters[np.flatnonzero(matched)].count,
        "matched_pairs": int(pairs.sum()),
        "candidates": int(right.size),
        "right": int(right.sum()),
        "tokens_per_sample": _mean(scored.tokens),
        "tokens_per_chain": _mean(scored.chain_tokens),
        "without_verdict": _mean(np.isnan(p_yes)),
        "chains_without_verdict": _mean(np.isnan(scored.chains)),
        "accuracy": clusters.mean((accepted == right).mean(axis=1))._asdict(),
        **_errors(accepted, right, 1 - right, clusters),
        "worked": _errors(accepted, right * scored.worked, (1 - right) * scored.worked, clusters),
        "auroc_within_layout": clusters.mean(within_problem(right, p_yes, scored.layouts))._asdict(),
        "auroc_within": clusters.mean(within_problem(right, p_yes))._asdict(),
        "auroc_pooled": pooled_estimate(right, p_yes, clusters)._asdict(),
        "calibration": calibration(right, p_yes, clusters),
    }


def _errors(accepted: Floats, right: Floats, wrong: Floats, clusters: Clusters) -> Metrics:
    """Shares of wrong candidates that are accepted, and of right ones that are not."""
    cases = {"false_accept_rate": (accepted * wrong, wrong), "false_reject_rate": ((1 - accepted) * right, right)}
    return {name: clusters.share(hits.sum(axis=1), of.sum(axis=1))._asdict() for name, (hits, of) in cases.items()}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
