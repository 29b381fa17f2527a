"""Verification traces: whose chains are kept, and which of them are trained on.

A writer of chains gets what a verifier will have, question and candidate, and nothing else (`Asked`); four are behind
that one interface: the program (chain.py), the policy itself, a teacher behind an API, and published critiques. A chain
is kept where its verdict agrees with the grade and it tells nothing of the reference. Then every kept chain needs its
counterpart: the same problem, layout, kind of candidate and writer, the other label. What has none is dropped, so that
neither problem, layout nor writer tells the label. The ledger counts all of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from proofline.config.schema import Traces
from proofline.data.candidates import Candidate, kind_of
from proofline.data.chain import verify
from proofline.data.layout import by_layout, independence, layout
from proofline.data.leaks import leak
from proofline.data.prompts import verdict
from proofline.data.verdicts import known_label, read_verdict
from proofline.records import Critique, Origin, Problem, VerificationTrace, stable_id


class Asked(NamedTuple):
    """What a writer of chains is told: nothing of the reference, nothing of the grade."""

    solution_id: str
    question: str
    candidate: str


Write = Callable[[Sequence[Asked]], Iterable[Sequence[str]]]
"""The chains that a writer has for each of the candidates, in their order; none, one or several attempts."""


class TraceError(ValueError):
    """Graded candidates, and not one trace of them."""


def program(asked: Sequence[Asked]) -> list[list[str]]:
    """The program as a writer: its one chain, or none where there is nothing to recompute."""
    chains = (verify(row.question, row.candidate) for row in asked)
    return [[f"{chain.text}\n{verdict(chain.accepts)}"] if chain else [] for chain in chains]


def published(critiques: Iterable[Critique]) -> Write:
    """Published critiques as a writer, which has something to say of the published candidates alone."""
    chains = {critique.solution_id: critique.chain for critique in critiques}
    return lambda asked: [[chains[row.solution_id]] if row.solution_id in chains else [] for row in asked]


def build_traces(
    problems: Mapping[str, Problem],
    candidates: Iterable[Candidate],
    writers: Mapping[str, Write],
    section: Traces,
    seed: int,
) -> tuple[list[VerificationTrace], dict[str, Any]]:
    """Traces with as many Yes as No, in a stable shuffled order, and the ledger. Raises TraceError where none is left.

    `writers` by the names of the recipe's `sources`.
    """
    counts: Counter[str] = Counter()
    labelled = list(_labelled(candidates, counts))
    kept, fates = _written(problems, labelled, writers)
    couples = _couples(kept, section, seed)
    taken = couples[: section.limit // 2 if section.limit else None]
    if labelled and not taken:
        raise TraceError(
            f"{len(labelled)} graded candidates gave {len(kept)} chains and no couple of a right and a wrong one with "
            "the same problem and layout: sample more solutions of a problem, or set traces.corrupted to 1 or more"
        )
    traces = sorted((trace for couple in taken for trace in couple), key=lambda trace: _order(trace, seed))
    of_candidates = [(layout(row.solution.text), known_label(row.grade) is True) for row in labelled]
    of_traces = [(trace.layout, trace.label) for trace in traces]
    return traces, {
        **{name: counts[name] for name in ("candidates", "dropped_same_text", "dropped_without_label")},
        "chains": fates,
        "dropped_without_counterpart": len(kept) - 2 * len(couples),
        "dropped_over_limit": 2 * (len(couples) - len(taken)),
        "traces": len(traces),
        "by_origin": dict(Counter(trace.origin for trace in traces)),
        "by_candidate": dict(Counter(trace.candidate_from.policy for trace in traces)),
        "label_by_layout": {
            "of_candidates": independence(of_candidates, seed),
            "of_traces": independence(of_traces, seed),
        },
        "layouts": by_layout(of_traces),
    }


def _written(
    problems: Mapping[str, Problem], candidates: Sequence[Candidate], writers: Mapping[str, Write]
) -> tuple[list[VerificationTrace], dict[str, dict[str, int]]]:
    """The chains that can be kept, and by writer what became of its candidates."""
    asked = [
        Asked(row.solution.id, problems[row.solution.problem_id].question, row.solution.text) for row in candidates
    ]
    kept: list[VerificationTrace] = []
    fates: dict[str, dict[str, int]] = {}
    for source, write in writers.items():
        counts: Counter[str] = Counter()
        for candidate, chains in zip(candidates, write(asked), strict=True):
            problem = problems[candidate.solution.problem_id]
            fate, chain = admit(chains, problem, candidate)
            counts[fate] += 1
            if chain is not None:
                kept.append(_trace(problem, candidate, source, chain))
        fates[source] = dict(sorted(counts.items()))
    return kept, fates


def admit(chains: Sequence[str], problem: Problem, candidate: Candidate) -> tuple[str, str | None]:
    """What becomes of a writer's attempts at one candidate, and the first that can be kept, its last line ours."""
    fate = "no_chain"
    for written in chains:
        read = read_verdict(written)
        if read is None or not read[0]:
            fate = "dropped_no_verdict"
            continue
        rationale, says_right = read
        if says_right != known_label(candidate.grade):
            fate = "dropped_against_grade"
            continue
        told = leak(rationale, problem.question, candidate.solution.text, f"{problem.solution}\n{problem.answer}")
        if told is None:
            return "kept", f"{rationale.lstrip()}\n{verdict(says_right)}"
        fate = f"dropped_leak_{told}"
    return fate, None


def _labelled(candidates: Iterable[Candidate], ledger: Counter[str]) -> Iterable[Candidate]:
    """The distinct candidates whose grade is a label."""
    seen: set[tuple[str, str]] = set()
    for candidate in candidates:
        ledger["candidates"] += 1
        key = (candidate.solution.problem_id, candidate.solution.text)
        if key in seen:
            ledger["dropped_same_text"] += 1
        elif known_label(candidate.grade) is None:
            ledger["dropped_without_label"] += 1
        else:
            yield candidate
        seen.add(key)


def _couples(
    traces: Iterable[VerificationTrace], section: Traces, seed: int
) -> list[tuple[VerificationTrace, VerificationTrace]]:
    """A Yes and a No that nothing but their content tells apart, `per_problem` traces of a problem at most.

    Sampled candidates first, then written ones; within those by a seeded hash, so that a new candidate does not move
    the others.
    """
    groups: dict[tuple[str, ...], dict[bool, list[VerificationTrace]]] = defaultdict(lambda: {True: [], False: []})
    for trace in sorted(traces, key=lambda trace: _order(trace, seed)):
        kind = kind_of(trace.candidate_from.policy)
        groups[trace.problem_id, trace.origin, trace.layout, kind][trace.label].append(trace)
    couples = [couple for group in groups.values() for couple in zip(group[True], group[False], strict=False)]
    couples.sort(key=lambda couple: (kind_of(couple[0].candidate_from.policy) == "written", _order(couple[0], seed)))
    taken: Counter[str] = Counter()
    chosen = []
    for couple in couples:
        taken[couple[0].problem_id] += 2
        if taken[couple[0].problem_id] <= section.per_problem:
            chosen.append(couple)
    return chosen


def _order(trace: VerificationTrace, seed: int) -> str:
    return stable_id("trace order", seed, trace.id)


def _trace(problem: Problem, candidate: Candidate, source: str, chain: str) -> VerificationTrace:
    return VerificationTrace(
        id=stable_id("trace", source, candidate.solution.id),
        problem_id=problem.id,
        solution_id=candidate.solution.id,
        question=problem.question,
        candidate=candidate.solution.text,
        candidate_from=Origin.of(candidate.solution, candidate.grade),
        chain=chain,
        label=known_label(candidate.grade) is True,
        origin=source,
        layout=layout(candidate.solution.text),
    )
