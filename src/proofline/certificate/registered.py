"""Registered versions that a certificate covers, and its run in the tracking store.

A version is covered where its tag names the weights of a certified model; its subject is then the SHA-256 of the file
that the registry really holds, so a model swapped in the store shows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from proofline.certificate.manifest import WEIGHTS
from proofline.certificate.show import as_markdown, summary
from proofline.config.environment import load_environment, repository_root
from proofline.registry.files import LostError, fetch
from proofline.registry.store import open_registry
from proofline.tracking.mlflow_run import MlflowRun

REGISTERED = "models:/"
"""How subjects that are registered versions begin."""
TAG, RUN_TAG = "proofline.certificate", "proofline.certificate_run"


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    number: str
    weights: str
    """As its tag has them."""
    attached: bool = False
    """Does it carry a certificate?"""

    @property
    def subject(self) -> str:
        return f"{REGISTERED}{self.name}/{self.number}"


def has_store() -> bool:
    """Is there a registry to ask? A database that would only now be made is none."""
    uri = load_environment().tracking_uri
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()


def covered_versions(digests: Mapping[str, str]) -> list[Version]:
    """The versions whose tag names the weights of a model among these files (SHA-256 by path)."""
    if not has_store():
        return []
    certified = {weights for weights, _ in models(digests).values()}
    return [version for version in _all_versions() if version.weights in certified]


def examine(version: Version, digests: Mapping[str, str]) -> str | None:
    """None where the registry holds the certified weights under this version; else a sentence of what it holds."""
    wanted = dict(models(digests).values())[version.weights]
    try:
        found = stored_weights(version)
    except LostError as error:
        return f"{version.subject}: {error}"
    return None if found == wanted else f"{version.subject} holds weights {found}, the certified ones are {wanted}"


def check_registry(subjects: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Faults and notes: every version here that claims certified weights holds them, and so does every version that
    the certificate names, if it was attached here."""
    named = [name for name in subjects if name.startswith(REGISTERED)]
    if not has_store():
        return [], ["no registry here: no version was looked at"]
    files = {name: sha256 for name, sha256 in subjects.items() if not name.startswith(REGISTERED)}
    here = {version.subject: version for version in _all_versions()}
    claiming = covered_versions(files)
    faults = [fault for version in claiming if (fault := examine(version, files))]
    others = [name for name in named if name not in {version.subject for version in claiming}]
    marked = [name for name in others if name in here and here[name].attached]
    faults += [f"{name} had a certificate attached, and now claims weights {here[name].weights}" for name in marked]
    notes = [f"{name} is not in this registry, or is another" for name in others if name not in marked]
    return faults, [*notes, f"{len(claiming)} registered versions claim certified weights and were compared"]


def models(digests: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """By folder: what `storage.weights.weights_hash` says of it, and one SHA-256 for its weight files."""
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(one for one in digests if one.endswith(WEIGHTS)):
        folders[str(PurePosixPath(path).parent)][PurePosixPath(path).name] = digests[path]
    return {folder: (_weights_hash(files), _one_digest(files)) for folder, files in folders.items()}


def stored_weights(version: Version) -> str:
    """One SHA-256 for the weight files that the registry holds for a version. Raises LostError."""
    client, _ = open_registry()
    with TemporaryDirectory() as scratch:
        files = sorted((fetch(client, version.name, version.number, Path(scratch)) / "model").rglob(f"*{WEIGHTS}"))
        return _one_digest({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})


def _all_versions() -> list[Version]:
    client, _ = open_registry()
    found = [
        Version(one.name, str(one.version), one.tags.get("proofline.weights", ""), RUN_TAG in one.tags)
        for one in client.search_model_versions(max_results=10_000)
    ]
    return sorted(found, key=lambda one: (one.name, int(one.number)))


def _weights_hash(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, sha256 in files.items():
        digest.update(name.encode() + b"\0" + bytes.fromhex(sha256))
    return digest.hexdigest()[:16]


def _one_digest(files: Mapping[str, str]) -> str:
    """That of the only file, or of the listing of several as `sha256sum` prints it."""
    if len(files) == 1:
        return next(iter(files.values()))
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in files.items()).encode()).hexdigest()


def record(statement: dict[str, Any], document: dict[str, Any], versions: Iterable[Version]) -> str:
    """Log the certificate as a run of the user's store and leave a mark on the versions it covers; the run's id."""
    predicate = statement["predicate"]
    now = time.time_ns() // 1_000_000
    run = MlflowRun(load_environment().tracking_uri, repository_root() / "mlartifacts")
    tags = {
        "proofline.stage": "certify",
        "proofline.verdict": predicate["verdict"],
        "proofline.recipe": predicate["recipe"]["id"],
        "mlflow.source.git.commit": predicate["source"]["commit"],
        "mlflow.note.content": as_markdown(statement),
        "proofline.summary": summary(predicate),
    }
    run.begin("certify", now - int(1000 * predicate["seconds"]), tags)
    run.send_text(json.dumps(document, ensure_ascii=False, indent=1), "certificate.json")
    run.send([{"kind": "metrics", "time_ms": now, "step": 0, "values": _reproduced(predicate)}])
    run.finish("FINISHED", now)
    assert run.run_id is not None
    client, _ = open_registry()
    for version in versions:
        client.set_model_version_tag(version.name, version.number, TAG, summary(predicate))
        client.set_model_version_tag(version.name, version.number, RUN_TAG, run.run_id)
    return run.run_id


def _reproduced(predicate: dict[str, Any]) -> dict[str, float]:
    tests = predicate["metrics"]["tests"]
    return {test["metric"]: test["reproduced"] for test in tests if test["reproduced"] is not None}
