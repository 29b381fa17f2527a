"""Do the files of a commit belong together: lock, code, recipe, manifest, README? Told without running anything.

Every fault is one sentence that names the file and what was found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from proofline.certificate.commit import LOCK, Commit, read_commit
from proofline.certificate.lock import Lock, Stage, below, folder_md5, parse_lock
from proofline.certificate.manifest import MANIFEST, Manifest, files_under, json_md5, out_md5, read_manifest
from proofline.certificate.readme import IMAGES, as_results, between, pictures, shown

RESULTS, PLOTS = "reports/results.md", "reports/plots"
REPRODUCE = "reproduce with `dvc repro` and commit the lock"


class CommittedError(ValueError):
    """What is committed does not belong together."""


def locked(commit: Commit) -> Lock:
    return parse_lock(commit.read(LOCK, f"{REPRODUCE}"))


def manifest_of(commit: Commit) -> Manifest | None:
    """The commit's manifest; None where it has none."""
    return read_manifest(commit.files[MANIFEST]) if MANIFEST in commit.files else None


def check_committed(commit: Commit) -> str:
    """Lock, manifest, README and pictures of a commit belong together; returns a sentence. Raises CommittedError."""
    lock = locked(commit)
    manifest = read_manifest(commit.read(MANIFEST, "write it with `proofline manifest` and commit it"))
    faults = [*lock_faults(commit, lock), *manifest_faults(manifest, lock), *readme_faults(commit, lock, manifest)]
    if faults:
        raise CommittedError("\n  ".join([f"commit {commit.sha[:12]} contradicts itself", *faults]))
    files, rows = manifest.files.values(), sum(entry.rows.count for entry in manifest.files.values() if entry.rows)
    return f"{commit.sha[:12]}: {LOCK}, {MANIFEST} ({len(files)} files, {rows:,} rows), README and pictures agree"


def check_readme(root: Path) -> None:
    """README and pictures of the present commit are those of its lock. Raises CommittedError."""
    commit = read_commit(root)
    manifest = read_manifest(commit.read(MANIFEST, "write it with `proofline manifest` and commit it"))
    if faults := list(readme_faults(commit, locked(commit), manifest)):
        raise CommittedError("\n  ".join([f"README of commit {commit.sha[:12]}", *faults]))


def lock_faults(commit: Commit, lock: Lock) -> Iterator[str]:
    """Hashes that are not those of the commit's code and recipe, or of the stage that wrote the file."""
    for stage in lock.stages.values():
        for path, md5 in stage.deps.items():
            producer = next((one for one in lock.stages.values() if path in one.outs), None)
            if producer is not None:
                found, where = producer.outs[path], f"{producer.name} wrote"
            elif any(below(out, path) for out in lock.outs):
                continue  # a folder above outs: its files are looked at one by one
            else:
                found, where = committed_md5(commit, path) or md5, "the commit has"
            if found != md5:
                yield f"{LOCK}: {stage.name} read {path} as {md5 or 'nothing'}, {where} {found}; {REPRODUCE}"
        yield from _param_faults(commit, stage)


def committed_md5(commit: Commit, path: str) -> str | None:
    """What DVC would say of a file or a folder of the commit; None where it has neither."""
    if path in commit.files:
        return hashlib.md5(commit.files[path]).hexdigest()
    inside = {name: content for name, content in commit.files.items() if below(name, path)}
    listing = {name[len(path) + 1 :]: hashlib.md5(content).hexdigest() for name, content in inside.items()}
    return folder_md5(listing) if listing else None


def _param_faults(commit: Commit, stage: Stage) -> Iterator[str]:
    for file, values in stage.params.items():
        recipe = YAML(typ="safe", pure=True).load(StringIO(commit.files.get(file, b"").decode("utf-8"))) or {}
        for key, value in values.items():
            if (found := _lookup(recipe, key)) != value:
                yield f"{LOCK}: {stage.name} ran with another {key} than {file} has ({value!r}, {found!r}); {REPRODUCE}"


def _lookup(values: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def manifest_faults(manifest: Manifest, lock: Lock) -> Iterator[str]:
    """Hashes in the manifest that are not the lock's, and values that are not their hash's."""
    remedy = "write it anew with `proofline manifest`"
    for out, md5 in lock.outs.items():
        found = out_md5(manifest.under(out), out)
        if found is None:
            yield f"{MANIFEST}: {out} is not in it; {remedy}"
        elif found != md5:
            yield f"{MANIFEST}: {out} is {found}, {LOCK} says {md5}; {remedy}"
    for stage in lock.stages.values():
        for path, md5 in stage.deps.items():
            if path in lock.outs or not any(below(out, path) for out in lock.outs):
                continue
            found = out_md5(files_under(manifest.files, path), path)
            if found != md5:
                yield f"{LOCK}: {stage.name} read {path} as {md5}, its files make it {found}; {REPRODUCE}"
    for path, entry in manifest.files.items():
        if not any(path == out or below(path, out) for out in lock.outs):
            yield f"{MANIFEST}: {path} is written by no stage of {LOCK}; {remedy}"
        if entry.values is not None and json_md5(entry.values) != entry.md5:
            yield f"{MANIFEST}: the values of {path} are not those of the file with md5 {entry.md5}; {remedy}"
        if entry.rows is not None and len(entry.rows.digests) != entry.rows.count:
            yield f"{MANIFEST}: {path} has {entry.rows.count} rows and {len(entry.rows.digests)} digests; {remedy}"


def readme_faults(commit: Commit, lock: Lock, manifest: Manifest) -> Iterator[str]:
    """A README whose results are not the report that the lock names, or whose pictures are others."""
    remedy = "write it with `proofline readme` after a reproduction"
    readme = commit.read("README.md", remedy).decode("utf-8")
    results = as_results(readme)
    if hashlib.md5(results.encode()).hexdigest() != lock.outs.get(RESULTS):
        yield f"README.md: its results are not those of {RESULTS} in {LOCK} ({lock.outs.get(RESULTS)}); {remedy}"
    for name in pictures(results):
        content, entry = commit.files.get(f"{IMAGES}/{name}"), manifest.files.get(f"{PLOTS}/{name}")
        if content is None or entry is None or hashlib.sha256(content).hexdigest() != entry.sha256:
            yield f"{IMAGES}/{name}: not the picture of {PLOTS} in {MANIFEST}; {remedy}"
    for path, block, *marks in shown(commit.files.get):
        if between(readme, *marks) != block:
            yield f"README.md: what it says of {path} is not what is in it; {remedy}"
