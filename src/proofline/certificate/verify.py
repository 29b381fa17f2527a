"""Is a certificate true of this checkout and this registry? Found out without running anything.

In: a statement, a commit of the checkout, its working tree, the registry. Out: faults, one sentence each, and notes of
what could not be looked at. The reproduction itself cannot be repeated here; everything that follows from its numbers,
or that the commit and the files decide, is computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofline.certificate.assess import known_reruns
from proofline.certificate.check import lock_faults, locked, manifest_faults, manifest_of
from proofline.certificate.classes import trainings
from proofline.certificate.commit import LOCK, Commit
from proofline.certificate.compare import Class
from proofline.certificate.equivalence import PAIRED, MetricTest, compare_metrics
from proofline.certificate.headline import headline_metrics
from proofline.certificate.lock import Lock
from proofline.certificate.manifest import MANIFEST, Entry, Manifest, json_md5
from proofline.certificate.registered import REGISTERED, check_registry
from proofline.certificate.statement import PREDICATE, TYPE


class CertificateError(ValueError):
    """A file that is no certificate of ours, or one that does not hold here."""


@dataclass
class Findings:
    """What was found wrong, and what was not looked at."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(statement: dict[str, Any], commit: Commit, root: Path) -> Findings:
    """Check a statement whose signature is no longer in question. Raises CertificateError where it is none of ours."""
    if statement.get("_type") != TYPE or statement.get("predicateType") != PREDICATE:
        found = f"{statement.get('_type')!r}, {statement.get('predicateType')!r}"
        raise CertificateError(f"no certificate of this project: found {found}; expected {TYPE}, {PREDICATE}")
    findings = Findings()
    try:
        predicate, subjects = statement["predicate"], _subjects(statement)
        lock, manifest = locked(commit), manifest_of(commit)
        findings.faults += _other_commit(predicate, commit, lock)
        if findings.faults:
            return findings  # all that follows would only say so again
        if predicate["source"]["commit"] != commit.sha:
            made = predicate["source"]["commit"][:12]
            findings.notes.append(f"made of commit {made}, whose {LOCK} is that of {commit.sha[:12]}, byte for byte")
        findings.faults += lock_faults(commit, lock)
        findings.faults += _artefact_faults(predicate, lock)
        findings.faults += _metric_faults(predicate, commit, lock, manifest)
        findings.faults += _verdict_faults(predicate)
        if manifest is None:
            findings.notes.append(f"the commit has no {MANIFEST}: committed values and digests were not compared")
        else:
            findings.faults += [*manifest_faults(manifest, lock), *_subject_faults(predicate, subjects, manifest)]
            findings.faults += _excuse_faults(predicate, lock, manifest)
        _look_at_files(findings, subjects, lock, root)
        faults, notes = check_registry(subjects)
        findings.faults += faults
        findings.notes += notes
    except (KeyError, TypeError, AttributeError) as error:
        raise CertificateError(
            f"not a whole certificate: {type(error).__name__} {error}; it was cut or changed"
        ) from error
    return findings


def _subjects(statement: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}


def _other_commit(predicate: dict[str, Any], commit: Commit, lock: Lock) -> Iterator[str]:
    if predicate["source"]["lock_sha256"] != lock.sha256:
        made = predicate["source"]["commit"][:12]
        yield f"it is about commit {made}; commit {commit.sha[:12]} of this checkout has another {LOCK}"
    elif predicate["recipe"] != {"id": lock.recipe, "params": lock.params}:
        yield f"its recipe is not that of {LOCK}"


def _artefact_faults(predicate: dict[str, Any], lock: Lock) -> Iterator[str]:
    """The table of artefacts against the lock and against itself."""
    listed = {one["path"]: one for one in predicate["artefacts"]}
    identities = predicate["identities"]
    for name, stage in lock.stages.items():
        if name not in identities:
            if predicate["stages"] == "all":
                yield f"it speaks of all stages, and says nothing of {name}"
            continue
        if identities[name]["committed"] != stage.identity:
            yield f"stage {name} has the identity {stage.identity}, it says {identities[name]['committed']}"
        for out in (out for out in stage.outs if out not in listed):
            yield f"{out} of stage {name} is missing from it"
    for path, one in listed.items():
        if lock.outs.get(path) != one["committed_md5"]:
            yield f"{path}: {LOCK} says {lock.outs.get(path)}, it says {one['committed_md5']}"
        same = one["committed_md5"] == one["reproduced_md5"]
        if same != (one["class"] == str(Class.IDENTICAL)):
            yield f"{path} is called {one['class']}, its hashes are {'equal' if same else 'not equal'}"


def _metric_faults(predicate: dict[str, Any], commit: Commit, lock: Lock, manifest: Manifest | None) -> Iterator[str]:
    """Reproduced values against the md5 of their file, committed ones against the manifest, tests made again."""
    md5s = {one["path"]: one["reproduced_md5"] for one in predicate["artefacts"]}
    reproduced = {}
    for path, values in predicate["reproduced_metrics"].items():
        reproduced[path] = Entry(md5=json_md5(values), sha256="", size=0, values=values)
        if reproduced[path].md5 != md5s.get(path):
            yield f"the reproduced values of {path} are not those of the file with md5 {md5s.get(path)}"
    tests = {test["metric"]: test for test in predicate["metrics"]["tests"]}
    sides = {"reproduced": headline_metrics(lock, reproduced)}
    if manifest is not None:
        sides["committed"] = headline_metrics(lock, manifest.files)
    for side, metrics in sides.items():
        for name, test in tests.items():
            true = metrics[name].value if name in metrics else None
            if test[side] != (None if true is None or true != true else true):
                yield f"{name}: {side} value is {true}, it says {test[side]}"
    if len(sides) == 2:
        here, there = (
            {name: sides[side][name] for name in tests if name in sides[side]} for side in ("committed", "reproduced")
        )
        for again in compare_metrics(here, there, known_reruns(commit, lock), {}):
            yield from _test_faults(tests[again.metric], again)


def _test_faults(test: dict[str, Any], again: MetricTest) -> Iterator[str]:
    """A bound from paired problems needs both sides' grades; its own numbers have to do."""
    bound = test["bound"] if test["method"] == PAIRED and not again.runs else again.bound
    if abs(test["bound"] - bound) > 1e-9:
        yield f"{again.metric}: the bound is {again.bound:.6g} ({again.method}), it says {test['bound']:.6g}"
    within = abs((test["committed"] or 0) - (test["reproduced"] or 0)) <= bound + 1e-12
    if test["passed"] and not within:
        yield f"{again.metric}: the difference is beyond the bound, it says that it passed"


def _verdict_faults(predicate: dict[str, Any]) -> Iterator[str]:
    names = {str(one): one for one in Class}
    ranks = [names.get(one["class"], Class.DIFFERENT) for one in predicate["artefacts"]]
    worst = Class.DIFFERENT if predicate["faults"] or not ranks else max(ranks)
    if predicate["verdict"] != str(worst):
        yield f"its verdict is {predicate['verdict']}, its own table says {worst}"
    failed = {test["metric"].partition(".")[0] for test in predicate["metrics"]["tests"] if not test["passed"]}
    for one in predicate["artefacts"]:
        if one["class"] == str(Class.EQUIVALENT) and one["stage"] in failed:
            yield f"{one['path']} is called equivalent, a headline metric of {one['stage']} is beyond its bound"


def _excuse_faults(predicate: dict[str, Any], lock: Lock, manifest: Manifest) -> Iterator[str]:
    """Only what a training reaches can be equivalent."""
    training = trainings(lock, {out: manifest.under(out) for out in lock.outs})
    for one in predicate["artefacts"]:
        if one["class"] == str(Class.EQUIVALENT) and not training & {one["stage"], *lock.upstream(one["stage"])}:
            yield f"{one['path']} is called equivalent, and no training leads to {one['stage']}"


def _subject_faults(predicate: dict[str, Any], subjects: dict[str, str], manifest: Manifest) -> Iterator[str]:
    judged = [one["path"] for one in predicate["artefacts"] if one["class"] != str(Class.DIFFERENT)]
    for path in (path for out in judged for path in manifest.under(out) if path not in subjects):
        yield f"{path} is not among its subjects"
    for name, sha256 in subjects.items():
        if name.startswith(REGISTERED):
            continue
        known = manifest.files.get(name)
        if known is None or known.sha256 != sha256:
            yield f"{name}: {MANIFEST} says {known.sha256 if known else 'nothing'}, it is about {sha256}"


def _look_at_files(findings: Findings, subjects: dict[str, str], lock: Lock, root: Path) -> None:
    """The results in the working tree, where they are said to be those of this lock."""
    here = root / LOCK
    if not here.is_file() or hashlib.sha256(here.read_bytes()).hexdigest() != lock.sha256:
        findings.notes.append("the working tree has results of another lock: its files were not compared")
        return
    present = [(name, root / name) for name in subjects if (root / name).is_file()]
    for name, file in present:
        if (found := hashlib.sha256(file.read_bytes()).hexdigest()) != subjects[name]:
            findings.faults.append(
                f"{name} in the working tree has SHA-256 {found}, the certified one {subjects[name]}"
            )
    files = sum(not name.startswith(REGISTERED) for name in subjects)
    findings.notes.append(f"{len(present)} of {files} certified files are in the working tree and were compared")
