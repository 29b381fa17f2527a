"""Verification traces: whose chains are kept, and which of them are trained on.

A writer of chains gets what a verifier will have, question and candidate, and nothing else (`Asked`); four are behind
that one interface: the program (chain.py), the policy itself, a teacher behind an API, and published critiques. A chain
is kept where its verdict agrees with the grade and it tells nothing of the reference. Then every kept chain needs its
counterpart: the same problem, layout, kind of candidate and writer, the other label. What has none is dropped, so that
neither problem, layout nor writer tells the label. The ledger counts all of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from proofline.config.schema import Traces
from proofline.data.chain import verify
from proofline.data.couples import couple_up, put_aside, shuffled
from proofline.data.graded import Candidate, Sampled
from proofline.data.layout import Look, by_layout, independence, layout
from proofline.data.leaks import leak
from proofline.data.prompts import verdict
from proofline.data.verdicts import known_label, read_verdict
from proofline.records import Critique, Origin, Problem, VerificationTrace, stable_id
from proofline.storage.rows import Aside, Each

ASKED_AT_ONCE = 4_096
"""Candidates that a writer gets in one call: much work beside the start of its processes."""


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


def published(critiques: Mapping[str, Critique]) -> Write:
    """Published critiques, by solution, as a writer: it has something to say of the published candidates alone."""
    return lambda asked: [[critiques[row.solution_id].chain] if row.solution_id in critiques else [] for row in asked]


def build_traces(
    sampled: Iterable[Sampled],
    writers: Mapping[str, Write],
    section: Traces,
    seed: int,
    aside: Aside[VerificationTrace],
) -> tuple[Sequence[VerificationTrace], dict[str, Any]]:
    """Traces with as many Yes as No, in a stable shuffled order, and the ledger. Raises TraceError where none is left.

    `writers` by the names of the recipe's `sources`. The traces lie `aside`: they are read when they are asked for.
    """
    counts: Counter[str] = Counter()
    looks: dict[int, list[Look]] = defaultdict(list)
    fates: dict[str, Counter[str]] = {source: Counter() for source in writers}
    traces = _written(_labelled(sampled, counts, looks), writers, fates)
    couples = sorted(put_aside(couple, aside, seed) for couple in couple_up(traces, section, seed))
    taken = couples[: section.limit // 2 if section.limit else None]
    of_candidates = list(chain.from_iterable(looks[stream] for stream in sorted(looks)))
    kept = sum(fate["kept"] for fate in fates.values())
    if of_candidates and not taken:
        raise TraceError(
            f"{len(of_candidates)} graded candidates gave {kept} chains and no couple of a right and a wrong one with "
            "the same problem and layout: sample more solutions of a problem, or set traces.corrupted to 1 or more"
        )
    chosen = Each(aside.__getitem__, shuffled(taken))
    return chosen, {
        **{name: counts[name] for name in ("candidates", "dropped_same_text", "dropped_without_label")},
        "chains": {source: dict(sorted(fate.items())) for source, fate in fates.items()},
        "dropped_without_counterpart": kept - 2 * len(couples),
        "dropped_over_limit": 2 * (len(couples) - len(taken)),
        **_described(chosen, of_candidates, seed),
    }


def _described(traces: Iterable[VerificationTrace], of_candidates: Sequence[Look], seed: int) -> dict[str, Any]:
    """What the ledger says of the traces, and of the candidates they come from."""
    by_origin: Counter[str] = Counter()
    by_candidate: Counter[str] = Counter()
    of_traces: list[Look] = []
    for trace in traces:
        by_origin[trace.origin] += 1
        by_candidate[trace.candidate_from.policy] += 1
        of_traces.append(Look.of(trace.layout, trace.label))
    return {
        "traces": len(of_traces),
        "by_origin": dict(by_origin),
        "by_candidate": dict(by_candidate),
        "label_by_layout": {
            "of_candidates": independence(of_candidates, seed),
            "of_traces": independence(of_traces, seed),
        },
        "layouts": by_layout(of_traces),
    }


def _labelled(
    sampled: Iterable[Sampled], counts: Counter[str], looks: dict[int, list[Look]]
) -> Iterator[tuple[Problem, Candidate]]:
    """The distinct candidates whose grade is a label; what they look like is noted by stream."""
    for problem, streams in sampled:
        seen: set[str] = set()
        for stream, rows in enumerate(streams):
            for candidate in rows:
                counts["candidates"] += 1
                text, label = candidate.solution.text, known_label(candidate.grade)
                if text in seen:
                    counts["dropped_same_text"] += 1
                elif label is None:
                    counts["dropped_without_label"] += 1
                else:
                    looks[stream].append(Look.of(layout(text), label))
                    yield problem, candidate
                seen.add(text)


def _written(
    labelled: Iterator[tuple[Problem, Candidate]], writers: Mapping[str, Write], fates: dict[str, Counter[str]]
) -> Iterator[VerificationTrace]:
    """The chains that can be kept, candidate by candidate; by writer it is counted what became of its candidates."""
    while batch := list(islice(labelled, ASKED_AT_ONCE)):
        asked = [Asked(row.solution.id, problem.question, row.solution.text) for problem, row in batch]
        written = [write(asked) for write in writers.values()]
        for (problem, candidate), *attempts in zip(batch, *written, strict=True):
            for source, chains in zip(writers, attempts, strict=True):
                fate, text = admit(chains, problem, candidate)
                fates[source][fate] += 1
                if text is not None:
                    yield _trace(problem, candidate, source, text)


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
