"""From a lock and a reproduction to verdicts: every out compared, every headline metric tested.

In: the commit, the folder in which it was run again, the store that may hold the committed files. Out: `Assessment`.
Takes seconds: each file is read once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from proofline.certificate.check import lock_faults, locked, manifest_faults, manifest_of
from proofline.certificate.classes import Classifier, Verdict, trainings
from proofline.certificate.commit import LOCK, Commit
from proofline.certificate.compare import Class, Comparison, compare_outs
from proofline.certificate.equivalence import Graded, MetricTest, compare_metrics
from proofline.certificate.headline import Measured, headline_metrics
from proofline.certificate.lock import Lock, parse_lock
from proofline.certificate.manifest import MANIFEST, WEIGHTS, Entry, describe_out
from proofline.certificate.stored import Committed, Store, committed_out
from proofline.records import Grade, Problem
from proofline.storage.records import iter_records, read_records

RERUNS_FILE = "benchmarks/results/reruns.json"
PROBLEMS = "data/problems/test.jsonl"
Entries = dict[str, Entry]


@dataclass(frozen=True)
class Assessment:
    """What was found."""

    lock: Lock
    """The committed one."""
    reproduced_lock: Lock
    faults: list[str]
    verdicts: dict[str, Verdict]
    committed: dict[str, Committed]
    reproduced: dict[str, Entries]
    tests: list[MetricTest]
    distances: dict[str, float]
    """Relative distance of the two weights, by file."""

    @property
    def rank(self) -> Class:
        ranks = [verdict.rank for verdict in self.verdicts.values()]
        return Class.DIFFERENT if self.faults or not ranks else max(ranks)

    def different(self) -> dict[str, Verdict]:
        return {out: verdict for out, verdict in self.verdicts.items() if verdict.rank == Class.DIFFERENT}


def assess(commit: Commit, folder: Path, store: Store, *, everything: bool = True) -> Assessment:
    """Hold what lies in `folder`, of the stages in its own lock, against what `commit` says; `everything`: all ran."""
    lock, manifest = locked(commit), manifest_of(commit)
    again = parse_lock((folder / LOCK).read_bytes())
    outs = [out for name, stage in lock.stages.items() if name in again.stages for out in stage.outs]
    committed = {out: committed_out(store, manifest, out, lock.outs[out]) for out in outs}
    reproduced = {out: describe_out(folder, out) for out in outs}
    comparisons = {out: _compare(lock, again, out, committed[out], reproduced[out]) for out in outs}
    training = trainings(lock, reproduced)
    served = {out for out in outs if _served(committed[out].files) or _served(reproduced[out])}
    asking = {name for name, stage in lock.stages.items() if not served.isdisjoint(stage.outs)}
    sides = _headlines(lock, training | asking, committed, reproduced)
    grades, published = _grades(sides[0], committed, folder)
    tests = compare_metrics(*sides, known_reruns(commit, lock), grades)
    by_stage: dict[str, list[MetricTest]] = defaultdict(list)
    for test in tests:
        by_stage[test.metric.partition(".")[0]].append(test)
    faults = [
        *lock_faults(commit, lock), *_stage_faults(lock, again, everything), *store.faults, *published,
        *([] if manifest is None else manifest_faults(manifest, lock)), *_row_faults(manifest, committed),
    ]  # fmt: skip
    return Assessment(
        lock=lock,
        reproduced_lock=again,
        faults=list(dict.fromkeys(faults)),
        verdicts=Classifier(lock, comparisons, training, by_stage, served).classify(),
        committed=committed,
        reproduced=reproduced,
        tests=tests,
        distances=_distances(folder, committed),
    )


def _served(files: Mapping[str, Entry]) -> bool:
    """Did a server write some of these rows?"""
    return any(entry.rows is not None and entry.rows.served for entry in files.values())


def _compare(lock: Lock, again: Lock, out: str, committed: Committed, reproduced: Entries) -> Comparison:
    if lock.outs[out] == again.outs.get(out):
        return Comparison(Class.IDENTICAL, "")
    if committed.source == "nowhere":
        where = f"neither the cache, nor a remote, nor {MANIFEST}"
        return Comparison(Class.DIFFERENT, f"came out as {again.outs.get(out)}; {where} has {lock.outs[out]}", False)
    return compare_outs(committed.files, reproduced)


def _headlines(
    lock: Lock, moving: set[str], committed: Mapping[str, Committed], reproduced: Mapping[str, Entries]
) -> tuple[dict[str, Measured], dict[str, Measured]]:
    """The headline metrics that a training or a server can move, of both sides."""
    here = {path: entry for one in committed.values() for path, entry in one.files.items()}
    there = {path: entry for files in reproduced.values() for path, entry in files.items()}

    def moved(files: Entries) -> dict[str, Measured]:
        measured = headline_metrics(lock, files)
        return {name: one for name, one in measured.items() if moving & {one.stage, *lock.upstream(one.stage)}}

    return moved(here), moved(there)


def known_reruns(commit: Commit, lock: Lock) -> list[dict[str, float]]:
    """The headline metrics of other trainings by this very recipe; none where the commit knows of none."""
    content = commit.files.get(RERUNS_FILE)
    reruns: dict[str, Any] = json.loads(content) if content else {}
    return [run["metrics"] for run in reruns.get("runs", [])] if reruns.get("recipe") == lock.recipe else []


def _grades(
    metrics: Mapping[str, Measured], committed: Mapping[str, Committed], folder: Path
) -> tuple[dict[str, Graded], list[str]]:
    """Right or wrong, problem by problem, where both sides' greedy grades and the problems are at hand; published
    shares that are not those of their grades."""
    problems = iter_records(folder / PROBLEMS, Problem) if (folder / PROBLEMS).exists() else ()
    clusters = {problem.id: problem.cluster for problem in problems}
    found: dict[str, Graded] = {}
    faults = []
    for name, measured in metrics.items():
        out = f"reports/evaluate/{measured.stage.partition('@')[2]}/greedy_grades.jsonl"
        if not name.endswith(".greedy_accuracy") or out not in committed or out not in committed[out].places:
            continue
        one, other = (
            {grade.problem_id: grade.verdict == "correct" for grade in read_records(path, Grade)}
            for path in (committed[out].places[out], folder / out)
        )
        if abs((share := sum(one.values()) / max(len(one), 1)) - measured.value) > 1e-9:
            faults.append(f"{name} is published as {measured.value:.6g}, the committed {out} makes it {share:.6g}")
        if one and one.keys() == other.keys() and one.keys() <= clusters.keys():
            found[name] = Graded(*(np.array([side[problem] for problem in one]) for side in (one, other, clusters)))
    return found, faults


def _stage_faults(lock: Lock, again: Lock, everything: bool) -> Iterator[str]:
    """Stages, commands and outs of the run against those of the committed lock."""
    for name in lock.stages if everything else ():
        if name not in again.stages:
            yield f"{LOCK}: it has a stage {name}, the graph has none"
    for name, stage in again.stages.items():
        known = lock.stages.get(name)
        if known is None:
            yield f"{LOCK}: the graph has a stage {name}, the lock has none"
            continue
        if known.command != stage.command:
            yield f"{LOCK}: {name} ran `{known.command}`, the graph says `{stage.command}`"
        if known.outs.keys() != stage.outs.keys():
            yield f"{LOCK}: {name} wrote {sorted(known.outs)}, the graph says {sorted(stage.outs)}"


def _row_faults(manifest: Any, committed: Mapping[str, Committed]) -> Iterator[str]:
    """Entries of the manifest that are not those of the files, where these are at hand."""
    for one in committed.values():
        for path in one.places:
            noted = manifest.files.get(path) if manifest is not None else None
            if noted is not None and noted.md5 == one.files[path].md5 and noted != one.files[path]:
                yield f"{MANIFEST}: {path} is described otherwise than the file with md5 {noted.md5} is"


def _distances(folder: Path, committed: Mapping[str, Committed]) -> dict[str, float]:
    """|a - b| / |a| over all weights of a file, where both are at hand and of a type that numpy knows."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    found = {}
    for path, place in ((path, place) for one in committed.values() for path, place in one.places.items()):
        if not path.endswith(WEIGHTS) or not (folder / path).is_file():
            continue
        try:
            a, b = load_file(place), load_file(folder / path)
        except (SafetensorError, KeyError, TypeError):  # bf16: numpy has none
            continue
        if a.keys() == b.keys() and all(a[name].shape == b[name].shape for name in a):
            squares = [(np.square(a[n] - b[n]).sum(dtype=float), np.square(a[n]).sum(dtype=float)) for n in a]
            gap, size = (sum(values) for values in zip(*squares, strict=True))
            found[path] = float(np.sqrt(gap / size)) if size else 0.0
    return found
