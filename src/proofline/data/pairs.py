"""Preference pairs: a right and a wrong solution of one problem by one policy (Rafailov et al. 2023, section 5).

In: problems, a policy's solutions and their grades. Out: PreferencePair rows and a ledger that accounts for
every problem. Only problems with both kinds of solution give pairs; which two are paired is a rule of the recipe.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from itertools import product

from proofline.config.schema import Pairs
from proofline.records import Grade, PreferencePair, Problem, Solution, stable_id


class PairingError(ValueError):
    """Solutions and grades that do not belong together, or no pair at all."""


def build_pairs(
    problems: Mapping[str, Problem], solutions: Iterable[Solution], grades: Iterable[Grade], section: Pairs, seed: int
) -> tuple[list[PreferencePair], dict[str, int]]:
    """Pairs in the problems' order, and the ledger's counts. Raises PairingError for a solution without a grade."""
    by_problem = _split_by_verdict(solutions, grades, section.unparsed_as_rejected)
    ledger: Counter[str] = Counter(problems_sampled=len(by_problem))
    pairs: list[PreferencePair] = []
    for problem_id, (right, wrong) in by_problem.items():
        if not (right and wrong):
            ledger["problems_all_right" if right else "problems_all_wrong"] += 1
            continue
        ledger["problems_mixed"] += 1
        chosen = select(right, wrong, section, seed)
        ledger["pairs_not_taken"] += len(right) * len(wrong) - len(chosen)
        pairs += [_pair(problems[problem_id], good, bad, section.rule) for good, bad in chosen]
    ledger["pairs"] = len(pairs)
    return pairs, dict(ledger)


def select(right: list[Solution], wrong: list[Solution], section: Pairs, seed: int) -> list[tuple[Solution, Solution]]:
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


def _split_by_verdict(
    solutions: Iterable[Solution], grades: Iterable[Grade], unparsed_as_rejected: bool
) -> dict[str, tuple[list[Solution], list[Solution]]]:
    """Distinct texts per problem, right and wrong."""
    verdicts = {grade.solution_id: grade.verdict for grade in grades}
    by_problem: dict[str, tuple[list[Solution], list[Solution]]] = defaultdict(lambda: ([], []))
    seen: set[tuple[str, str]] = set()
    for solution in solutions:
        if solution.id not in verdicts:
            raise PairingError(f"solution {solution.id} has no grade: grade the samples again (`dvc repro grade`)")
        right, wrong = by_problem[solution.problem_id]
        if (solution.problem_id, solution.text) in seen:
            continue
        seen.add((solution.problem_id, solution.text))
        verdict = verdicts[solution.id]
        if verdict == "correct":
            right.append(solution)
        elif verdict == "wrong" or unparsed_as_rejected:
            wrong.append(solution)
    return by_problem


def _pair(problem: Problem, good: Solution, bad: Solution, rule: str) -> PreferencePair:
    return PreferencePair(
        id=stable_id("pair", good.id, bad.id),
        problem_id=problem.id,
        question=problem.question,
        chosen_id=good.id,
        rejected_id=bad.id,
        chosen=good.text,
        rejected=bad.text,
        rule=rule,
    )
