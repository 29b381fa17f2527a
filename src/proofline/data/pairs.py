"""Preference pairs: a right and a wrong solution of one problem by one sampler (Rafailov et al. 2023, section 5).

In: problems, solutions and their grades. Out: PreferencePair rows and a ledger that accounts for every problem. Only
problems that a sampler solved both right and wrong give pairs; which two are paired is a rule of the recipe. A
solution that nobody could grade is on neither side. Solutions of other samplers than the policy that is trained
(the published candidates) are left out, or paired among themselves and declared off-policy, as the recipe says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import product
from typing import NamedTuple

from proofline.config.schema import Pairs
from proofline.data.verdicts import known_label
from proofline.records import Grade, Origin, PreferencePair, Problem, Solution, stable_id

Ledger = dict[str, "int | float"]


class PairingError(ValueError):
    """Solutions and grades that do not belong together."""


class Sampler(NamedTuple):
    """Who drew a solution."""

    policy: str
    weights: str


class Sides(NamedTuple):
    """One sampler's distinct solutions of one problem, right and wrong."""

    right: list[Solution]
    wrong: list[Solution]


def build_pairs(
    problems: Mapping[str, Problem],
    solutions: Iterable[Solution],
    grades: Iterable[Grade],
    section: Pairs,
    seed: int,
    policy: str = "sft",
) -> tuple[list[PreferencePair], Ledger]:
    """Pairs in the problems' order, and the ledger. `policy` is the one that is trained: its solutions are its own.

    Raises PairingError for a solution without a grade.
    """
    graded = {grade.solution_id: grade for grade in grades}
    ledger: Counter[str] = Counter()
    own = [solution for solution in solutions if _wanted(solution, section, policy, ledger)]
    pairs: list[PreferencePair] = []
    for problem_id, samplers in _split_by_verdict(own, graded, ledger).items():
        right, wrong = (any(getattr(sides, name) for sides in samplers.values()) for name in Sides._fields)
        kind = {(True, True): "mixed", (True, False): "all_right", (False, True): "all_wrong"}.get((right, wrong))
        ledger[f"problems_{kind or 'without_label'}"] += 1
        for sampler, sides in samplers.items():
            chosen = select(sides.right, sides.wrong, section, seed)
            ledger["pairs_not_taken"] += len(sides.right) * len(sides.wrong) - len(chosen)
            settings = {**section.model_dump(), "seed": seed}
            pairs += [
                _pair(problems[problem_id], couple, graded, settings, on_policy=sampler.policy == policy)
                for couple in chosen
            ]
    return pairs, _summary(pairs, ledger)


def select(
    right: Sequence[Solution], wrong: Sequence[Solution], section: Pairs, seed: int
) -> list[tuple[Solution, Solution]]:
    """At most `per_problem` couples, no solution twice, best first by the rule; ties by a seeded hash."""

    def order(couple: tuple[Solution, Solution]) -> tuple[float, str]:
        good, bad = couple
        tie = stable_id("pair", seed, good.id, bad.id)
        if section.rule == "random":
            return 0.0, tie
        return -SequenceMatcher(None, good.text, bad.text, autojunk=False).ratio(), tie

    taken: list[tuple[Solution, Solution]] = []
    used: set[str] = set()
    for good, bad in sorted(product(right, wrong), key=order):
        if len(taken) == section.per_problem:
            break
        if used.isdisjoint((good.id, bad.id)):
            taken.append((good, bad))
            used |= {good.id, bad.id}
    return taken


def _wanted(solution: Solution, section: Pairs, policy: str, ledger: Counter[str]) -> bool:
    if solution.policy == policy or section.off_policy:
        return True
    ledger["solutions_off_policy_left_out"] += 1
    return False


def _split_by_verdict(
    solutions: Iterable[Solution], graded: Mapping[str, Grade], ledger: Counter[str]
) -> dict[str, dict[Sampler, Sides]]:
    """Distinct texts by problem and sampler."""
    by_problem: dict[str, dict[Sampler, Sides]] = defaultdict(lambda: defaultdict(lambda: Sides([], [])))
    seen: set[tuple[str, Sampler, str]] = set()
    for solution in solutions:
        if solution.id not in graded:
            raise PairingError(f"solution {solution.id} has no grade: grade the samples again (`dvc repro grade`)")
        sampler = Sampler(solution.policy, solution.weights)
        sides = by_problem[solution.problem_id][sampler]
        if (solution.problem_id, sampler, solution.text) in seen:
            continue
        seen.add((solution.problem_id, sampler, solution.text))
        label = known_label(graded[solution.id])
        if label is None:
            ledger["solutions_without_label"] += 1
        else:
            (sides.right if label else sides.wrong).append(solution)
    return by_problem


def _pair(
    problem: Problem,
    couple: tuple[Solution, Solution],
    graded: Mapping[str, Grade],
    settings: dict[str, int | float | str | bool | None],
    *,
    on_policy: bool,
) -> PreferencePair:
    good, bad = couple
    return PreferencePair(
        id=stable_id("pair", good.id, bad.id),
        problem_id=problem.id,
        question=problem.question,
        chosen_id=good.id,
        rejected_id=bad.id,
        chosen=good.text,
        rejected=bad.text,
        chosen_from=Origin.of(good, graded[good.id]),
        rejected_from=Origin.of(bad, graded[bad.id]),
        on_policy=on_policy,
        rule=str(settings["rule"]),
        settings=settings,
    )


def _summary(pairs: Sequence[PreferencePair], counted: Counter[str]) -> Ledger:
    """The ledger, every count there even where it is 0; a ratio of nothing is NaN."""
    kinds = [f"problems_{kind}" for kind in ("all_right", "all_wrong", "mixed", "without_label")]
    others = ("solutions_without_label", "solutions_off_policy_left_out", "pairs_not_taken")
    known = [pair for pair in pairs if pair.chosen_from.num_tokens and pair.rejected_from.num_tokens]
    chosen = sum(pair.chosen_from.num_tokens for pair in known)
    rejected = sum(pair.rejected_from.num_tokens for pair in known)
    paired = len({pair.problem_id for pair in pairs})
    return {
        "problems_sampled": sum(counted[kind] for kind in kinds),
        **{name: counted[name] for name in (*kinds, *others)},
        "pairs": len(pairs),
        "pairs_off_policy": sum(not pair.on_policy for pair in pairs),
        "pairs_per_problem": len(pairs) / paired if paired else float("nan"),
        "length_ratio": chosen / rejected if rejected else float("nan"),
    }
