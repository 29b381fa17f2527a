"""How good the GenRM is as a verifier, and what reranking with it gains over one sample and over the vote.

In: verifications (mean P(Yes) per candidate), the grades of the same candidates, their problems.
Out: a JSON-able dictionary, overall and per benchmark; an interval is `{"value", "low", "high"}` over problems.

P(Yes) above 0.5 accepts. A candidate without a verdict (NaN) is not accepted, ranks below all others and has no
weight in the vote. `wrong` means not right: a candidate without a readable answer is to be rejected as well.
Rates, AUROC and best-of-N follow Zhang et al. (2024), "Generative Verifiers"; the weighted vote Li et al. (2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.calibration import calibration
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.ranking import pooled_estimate, within_estimate, within_problem
from proofline.evaluation.selection import Floats, Ints, best_of_k, ladder, pass_at_k, vote_at_k
from proofline.evaluation.statistics import Paired, compare_means, share_mean
from proofline.evaluation.tally import EvaluationError, tally
from proofline.records import Grade, Problem, Verification

Rule = Callable[[Ints, Floats, int], float]
RULES: dict[str, Rule] = {
    "best_of": best_of_k,
    "majority": lambda answers, scores, k: vote_at_k(answers, k),
    "weighted": lambda answers, scores, k: vote_at_k(answers, k, scores),
    "oracle": lambda answers, scores, k: pass_at_k(answers, k),
}


@dataclass(frozen=True)
class Scored:
    """Candidates and their scores, both (problems, samples)."""

    answers: Ints
    right: Floats
    p_yes: Floats
    lost_chains: Floats
    """Share of a candidate's chains that reached no verdict."""

    def __getitem__(self, rows: Ints) -> Scored:
        return Scored(self.answers[rows], self.right[rows], self.p_yes[rows], self.lost_chains[rows])


def evaluate_verifier(
    problems: Sequence[Problem],
    verifications: Sequence[Verification],
    grades: Sequence[Grade],
    section: Evaluation,
    seed: int,
) -> Metrics:
    """All metrics over the candidates that have a verification. `seed` decides the bootstrap's draws alone."""
    p_yes = {row.solution_id: row.p_yes for row in verifications}
    lost = {row.solution_id: np.isnan(row.p_yes_per_chain).sum() for row in verifications}
    chains = max((len(row.p_yes_per_chain) for row in verifications), default=0)
    seen = {row.problem_id for row in verifications}
    table = tally([p for p in problems if p.id in seen], [g for g in grades if g.solution_id in p_yes])
    if table.answers.size != len(verifications):
        raise EvaluationError(
            f"{len(verifications)} verifications for {table.answers.size} graded candidates: "
            "verify and grade the same candidates of the same problems, once each"
        )
    scores, lost_chains = (
        np.array([[values[one] for one in row] for row in table.solution_ids], float).reshape(table.answers.shape)
        for values in (p_yes, lost)
    )
    scored = Scored(table.answers, table.right, scores, lost_chains / max(1, chains))
    return {
        "num_samples": int(table.answers.shape[1]),
        "num_chains": chains,
        "confidence": section.confidence,
        "overall": _measure(scored, section, seed),
        "benchmarks": {name: _measure(scored[rows], section, seed) for name, rows in table.parts().items()},
    }


def _measure(scored: Scored, section: Evaluation, seed: int) -> Metrics:
    draws = (section.confidence, section.bootstrap_resamples, seed)
    right, p_yes = scored.right, scored.p_yes
    accepted = (p_yes > 0.5).astype(float)
    wrong = 1 - right
    return {
        "problems": len(right),
        "mixed_problems": int(np.isfinite(within_problem(right, p_yes)).sum()),
        "candidates": int(right.size),
        "right": int(right.sum()),
        "without_verdict": float(np.isnan(p_yes).mean()) if p_yes.size else float("nan"),
        "chains_without_verdict": float(scored.lost_chains.mean()) if p_yes.size else float("nan"),
        "accuracy": share_mean((accepted == right).mean(axis=1), *draws)._asdict(),
        "false_accept_rate": _rate(accepted * wrong, wrong),
        "false_reject_rate": _rate((1 - accepted) * right, right),
        "auroc_within": within_estimate(right, p_yes, *draws)._asdict(),
        "auroc_pooled": pooled_estimate(right, p_yes, *draws)._asdict(),
        "calibration": calibration(right.ravel(), p_yes.ravel()),
        **_reranking(scored, draws),
    }


def _rate(cases: Floats, among: Floats) -> float:
    return float(cases.sum() / among.sum()) if among.sum() else float("nan")


def _reranking(scored: Scored, draws: tuple[float, int, int]) -> Metrics:
    """The curves over N, and the gain at the largest N over one sample and over the vote."""
    num_samples = scored.answers.shape[1]
    curve, shares = [], {}
    for n in ladder(num_samples) if num_samples else []:
        shares = {
            name: np.array([rule(a, s, n) for a, s in zip(scored.answers, scored.p_yes, strict=True)])
            for name, rule in RULES.items()
        }
        curve.append({"n": n, **{name: share_mean(values, *draws)._asdict() for name, values in shares.items()}})
    if not shares:
        return {"best_of_n": [], "gains": {}}
    one = scored.right.mean(axis=1)
    return {
        "best_of_n": curve,
        "gains": {
            "best_of_over_one": paired_json(compare_means(shares["best_of"], one, *draws)),
            "best_of_over_majority": paired_json(compare_means(shares["best_of"], shares["majority"], *draws)),
            "weighted_over_majority": paired_json(compare_means(shares["weighted"], shares["majority"], *draws)),
        },
    }


def paired_json(paired: Paired) -> Metrics:
    return {**paired._asdict(), "difference": paired.difference._asdict()}
