"""Preference pairs: a right and a wrong solution of one problem by one sampler (Rafailov et al. 2023, section 5).

In: problems, solutions and their grades. Out: PreferencePair rows and a ledger that accounts for every problem. Only
problems that a sampler solved both right and wrong give pairs; which two are paired is a rule of the recipe. A
solution that nobody could grade is on neither side. Solutions of other samplers than the policy that is trained
(the published candidates) are left out, or paired among themselves and declared off-policy, as the recipe says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import product
from typing import NamedTuple

from proofline.config.schema import Pairs
from proofline.data.graded import Candidate, Sampled
from proofline.data.verdicts import known_label
from proofline.records import Origin, PreferencePair, Problem, stable_id

Ledger = dict[str, "int | float"]


class Sampler(NamedTuple):
    """Who drew a solution."""

    policy: str
    weights: str


class Sides(NamedTuple):
    """One sampler's distinct solutions of one problem, right and wrong."""

    right: list[Candidate]
    wrong: list[Candidate]


def build_pairs(
    sampled: Iterable[Sampled], section: Pairs, seed: int, counts: Counter[str], policy: str = "sft"
) -> Iterator[PreferencePair]:
    """Pairs as their problems come, counted in passing: see `ledger`.

    `policy` is the one that is trained: its solutions are its own.
    """
    settings = {**section.model_dump(), "seed": seed}
    for problem, streams in sampled:
        own = [row for rows in streams for row in rows if _wanted(row, section, policy, counts)]
        if not own:
            continue
        samplers = _split_by_verdict(own, counts)
        right, wrong = (any(getattr(sides, name) for sides in samplers.values()) for name in Sides._fields)
        kind = {(True, True): "mixed", (True, False): "all_right", (False, True): "all_wrong"}.get((right, wrong))
        counts[f"problems_{kind or 'without_label'}"] += 1
        before = counts["pairs"]
        for sampler, sides in samplers.items():
            chosen = select(sides.right, sides.wrong, section, seed)
            counts["pairs_not_taken"] += len(sides.right) * len(sides.wrong) - len(chosen)
            for couple in chosen:
                pair = _pair(problem, *couple, settings, on_policy=sampler.policy == policy)
                _count(pair, counts)
                yield pair
        counts["problems_paired"] += counts["pairs"] > before


def select(
    right: Sequence[Candidate], wrong: Sequence[Candidate], section: Pairs, seed: int
) -> list[tuple[Candidate, Candidate]]:
    """At most `per_problem` couples, no solution twice, best first by the rule; ties by a seeded hash."""

    def order(couple: tuple[Candidate, Candidate]) -> tuple[float, str]:
        good, bad = (side.solution for side in couple)
        tie = stable_id("pair", seed, good.id, bad.id)
        if section.rule == "random":
            return 0.0, tie
        return -SequenceMatcher(None, good.text, bad.text, autojunk=False).ratio(), tie

    taken: list[tuple[Candidate, Candidate]] = []
    used: set[str] = set()
    for good, bad in sorted(product(right, wrong), key=order):
        if len(taken) == section.per_problem:
            break
        ids = {good.solution.id, bad.solution.id}
        if used.isdisjoint(ids):
            taken.append((good, bad))
            used |= ids
    return taken


def _wanted(row: Candidate, section: Pairs, policy: str, counts: Counter[str]) -> bool:
    if row.solution.policy == policy or section.off_policy:
        return True
    counts["solutions_off_policy_left_out"] += 1
    return False


def _split_by_verdict(rows: Iterable[Candidate], counts: Counter[str]) -> dict[Sampler, Sides]:
    """Distinct texts of one problem by sampler."""
    samplers: dict[Sampler, Sides] = defaultdict(lambda: Sides([], []))
    seen: set[tuple[Sampler, str]] = set()
    for row in rows:
        sampler = Sampler(row.solution.policy, row.solution.weights)
        sides = samplers[sampler]
        if (sampler, row.solution.text) in seen:
            continue
        seen.add((sampler, row.solution.text))
        label = known_label(row.grade)
        if label is None:
            counts["solutions_without_label"] += 1
        else:
            (sides.right if label else sides.wrong).append(row)
    return samplers


def _pair(
    problem: Problem,
    good: Candidate,
    bad: Candidate,
    settings: dict[str, int | float | str | bool | None],
    *,
    on_policy: bool,
) -> PreferencePair:
    return PreferencePair(
        id=stable_id("pair", good.solution.id, bad.solution.id),
        problem_id=problem.id,
        question=problem.question,
        chosen_id=good.solution.id,
        rejected_id=bad.solution.id,
        chosen=good.solution.text,
        rejected=bad.solution.text,
        chosen_from=Origin.of(*good),
        rejected_from=Origin.of(*bad),
        on_policy=on_policy,
        rule=str(settings["rule"]),
        settings=settings,
    )


def _count(pair: PreferencePair, counts: Counter[str]) -> None:
    """Lengths only where both are known."""
    counts.update(pairs=1, pairs_off_policy=int(not pair.on_policy))
    chosen, rejected = pair.chosen_from.num_tokens, pair.rejected_from.num_tokens
    if chosen and rejected:
        counts.update(chosen_tokens=chosen, rejected_tokens=rejected)


def ledger(counts: Counter[str]) -> Ledger:
    """What `build_pairs` has counted, every count there even where it is 0; a ratio of nothing is NaN."""
    kinds = [f"problems_{kind}" for kind in ("all_right", "all_wrong", "mixed", "without_label")]
    others = ("solutions_without_label", "solutions_off_policy_left_out", "pairs_not_taken")
    paired, rejected = counts["problems_paired"], counts["rejected_tokens"]
    return {
        "problems_sampled": sum(counts[kind] for kind in kinds),
        **{name: counts[name] for name in (*kinds, *others, "pairs", "pairs_off_policy")},
        "pairs_per_problem": counts["pairs"] / paired if paired else float("nan"),
        "length_ratio": counts["chosen_tokens"] / rejected if rejected else float("nan"),
    }
