"""The study as one dictionary: what each stage of training changed, and what the numbers allow to be said.

In: every policy's metrics and graded test solutions, the verifier's metrics, the judge's win rates.
Out: `Study`, from which the claims, tables, plots, cards and `study_metrics` are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from proofline.config.schema import ABLATION, POLICIES, TRAINED, Evaluation
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.multiplicity import holm
from proofline.evaluation.protocols import protocol_changes, protocol_matrix
from proofline.evaluation.selection import Ints
from proofline.evaluation.statistics import Estimate, Paired
from proofline.evaluation.tally import Tally, tally
from proofline.records import Grade, Problem, Readings

TITLES = {
    "base": "base",
    "sft": "+SFT",
    "dpo": "+SFT+DPO",
    ABLATION: "+SFT+DPO+solutions (no traces)",
    "genrm": "+SFT+DPO+GenRM",
}
"""What is evaluated, as tables name it and in their order."""
OVERALL = "overall"
KINDS = ("greedy", "sampled")
"""What a change is measured in, by the names of its fields."""
BASELINE_TITLES = {
    "layout": "layout alone",
    "length": "length alone",
    "logprob": "the sampler's log-probability",
    "logprob_per_token": "the sampler's log-probability per token",
    "agreement": "agreement of the samples",
    "program": "the program's check",
}
"""What GenRM's ranking is held against; see `baselines`."""


@dataclass(frozen=True)
class PolicyResults:
    """What `evaluate` and `judge` wrote about one policy."""

    metrics: Metrics
    greedy_grades: Sequence[Grade]
    worked: Mapping[str, bool]
    """By id of a greedy solution: does it show its steps?"""
    sample_grades: Sequence[Grade]
    win_rates: Metrics | None
    """None for the opponent itself, and for the ablation."""
    readings: Sequence[Readings]


@dataclass(frozen=True)
class Change:
    """A policy against another: the one it was trained from, or what else differs in one thing."""

    policy: str
    before: str
    greedy: dict[str, Paired]
    """By benchmark, and `overall`."""
    sampled: dict[str, Paired]
    adjusted: dict[str, float] = field(default_factory=dict)
    """By kind: the p-value over all problems among those of all changes (Holm)."""
    protocols: Metrics = field(default_factory=dict)
    """By number of examples: see `protocols.protocol_changes`."""

    def claim(self, kind: str) -> Paired:
        """Over all problems, with the adjusted p-value: what may be said of it."""
        paired: Paired = getattr(self, kind)[OVERALL]
        return paired._replace(p_value=self.adjusted[kind])


class Steps(NamedTuple):
    """Of a policy's greedy solutions: how many show their steps, and how many of these and of the others are right."""

    shown: Estimate
    right_shown: Estimate
    right_hidden: Estimate


@dataclass(frozen=True)
class Study:
    """Everything the report says."""

    policies: dict[str, Metrics]
    win_rates: dict[str, Metrics]
    opponent: str
    steps: dict[str, Steps]
    """By policy."""
    changes: tuple[Change, ...]
    """Each policy against the one it was trained from."""
    over_base: dict[str, Paired]
    """Greedy accuracy of each trained policy against base's, over all problems."""
    parts: tuple[Change, Change]
    """The last of these in two, which add up to it: what its right solutions do alone, and its traces beside them."""
    protocols: dict[str, Metrics]
    """By policy: see `protocols.protocol_matrix`."""
    verifier: Metrics
    verified_policy: str
    """Whose samples the verifier scored."""
    confidence: float

    @property
    def benchmarks(self) -> tuple[str, ...]:
        return tuple(next(iter(self.policies.values()))["benchmarks"])

    @property
    def num_samples(self) -> int:
        return int(next(iter(self.policies.values()))["num_samples"])

    @property
    def comparisons(self) -> int:
        """How many p-values are adjusted for one another."""
        return sum(len(change.adjusted) for change in (*self.changes, *self.parts))

    def part(self, policy: str, benchmark: str = OVERALL) -> Metrics:
        metrics = self.policies[policy]
        part: Metrics = metrics[OVERALL] if benchmark == OVERALL else metrics["benchmarks"][benchmark]
        return part

    def reranked(self, benchmark: str = OVERALL) -> Metrics | None:
        """Accuracy of the verified policy's best of all samples by GenRM; None where it scored none."""
        part = self.verifier[OVERALL] if benchmark == OVERALL else self.verifier["benchmarks"].get(benchmark)
        return part["best_of_n"][-1]["best_of"] if part and part["best_of_n"] else None


def compose(
    problems: Sequence[Problem],
    results: Mapping[str, PolicyResults],
    verifier: Metrics,
    verified_policy: str,
    opponent: str,
    section: Evaluation,
    seed: int,
) -> Study:
    """Compare each policy with the one before it on the same problems, and gather the rest."""
    greedy = {name: tally(problems, results[name].greedy_grades, 1) for name in TITLES}
    sampled = {name: tally(problems, results[name].sample_grades, section.num_samples) for name in TITLES}
    clusters, parts = Clusters.of(problems, section, seed), _parts(greedy["base"])

    def steps(name: str) -> Steps:
        right, worked = greedy[name].right[:, 0], results[name].worked
        shown = np.array([worked[solution_id] for (solution_id,) in greedy[name].solution_ids], float)
        return Steps(
            clusters.mean(shown), clusters.share(right * shown, shown), clusters.share(right * (1 - shown), 1 - shown)
        )

    def change(before: str, name: str) -> Change:
        solved, solved_before = (greedy[one].right[:, 0] for one in (name, before))
        mean, mean_before = (sampled[one].right.mean(axis=1) for one in (name, before))
        return Change(
            policy=name,
            before=before,
            greedy={p: clusters[r].compare(solved[r], solved_before[r]) for p, r in parts.items()},
            sampled={p: clusters[r].compare(mean[r], mean_before[r]) for p, r in parts.items()},
            protocols=protocol_changes(problems, results[name].readings, results[before].readings, section, seed),
        )

    *changes, alone, beside = adjusted(
        [
            *(change(before, name) for before, name in pairwise(POLICIES)),
            change("dpo", ABLATION),
            change(ABLATION, "genrm"),
        ]
    )
    return Study(
        policies={name: results[name].metrics for name in TITLES},
        win_rates={name: rates for name in TITLES if (rates := results[name].win_rates)},
        opponent=opponent,
        steps={name: steps(name) for name in TITLES},
        changes=tuple(changes),
        over_base={name: clusters.compare(greedy[name].right[:, 0], greedy["base"].right[:, 0]) for name in TRAINED},
        parts=(alone, beside),
        protocols={name: protocol_matrix(problems, results[name].readings, section, seed) for name in TITLES},
        verifier=verifier,
        verified_policy=verified_policy,
        confidence=section.confidence,
    )


def adjusted(changes: Sequence[Change]) -> list[Change]:
    """The same, each p-value over all problems adjusted for all of them."""
    p_values = iter(holm([getattr(change, kind)[OVERALL].p_value for change in changes for kind in KINDS]))
    return [replace(change, adjusted={kind: next(p_values) for kind in KINDS}) for change in changes]


def _parts(table: Tally) -> dict[str, Ints]:
    return {OVERALL: np.arange(len(table.problem_ids)), **table.parts()}
