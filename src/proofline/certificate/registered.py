"""Registered versions that a certificate covers, and its run in the tracking store.

A version is covered where its tag names the weights of a certified model; its subject is then the SHA-256 of the file
that the registry really holds, so a model swapped in the store shows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from proofline.certificate.manifest import WEIGHTS, Entry
from proofline.certificate.show import as_markdown, summary
from proofline.config.environment import load_environment, repository_root
from proofline.registry.fetched import fetch_version
from proofline.registry.store import open_registry
from proofline.tracking.mlflow_run import MlflowRun

TAG, RUN_TAG = "proofline.certificate", "proofline.certificate_run"


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    number: str
    weights: str
    """As its tag has them."""

    @property
    def subject(self) -> str:
        return f"models:/{self.name}/{self.number}"


def has_store() -> bool:
    """Is there a registry to ask? A database that would only now be made is none."""
    uri = load_environment().tracking_uri
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()


def covered_versions(files: Mapping[str, Entry]) -> list[Version]:
    """The versions whose tag names the weights of one of these model files' folders."""
    if not has_store():
        return []
    certified = set(weights_by_folder(files).values())
    client, _ = open_registry()
    found = [
        Version(one.name, str(one.version), one.tags.get("proofline.weights", ""))
        for one in client.search_model_versions(max_results=1000)
    ]
    return sorted((one for one in found if one.weights in certified), key=lambda one: (one.name, int(one.number)))


def weights_by_folder(files: Mapping[str, Entry]) -> dict[str, str]:
    """What `storage.weights.weights_hash` says of each model folder, from its files' SHA-256 alone."""
    folders: dict[str, list[tuple[str, str]]] = {}
    for path, entry in sorted(files.items()):
        if path.endswith(WEIGHTS):
            place = PurePosixPath(path)
            folders.setdefault(str(place.parent), []).append((place.name, entry.sha256))
    return {folder: _weights_hash(names) for folder, names in folders.items()}


def _weights_hash(files: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, sha256 in files:
        digest.update(name.encode() + b"\0" + bytes.fromhex(sha256))
    return digest.hexdigest()[:16]


def stored_weights(version: Version) -> str:
    """SHA-256 of the weights that the registry holds for a version; of several files, that of their digests.

    Raises RegistryError where they cannot be had.
    """
    client, _ = open_registry()
    with TemporaryDirectory() as folder:
        files = sorted(fetch_version(client, version.name, version.number, Path(folder)).rglob(f"*{WEIGHTS}"))
        digests = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    return combined(digests)


def combined(digests: list[tuple[str, str]]) -> str:
    """One digest of a model's weight files: that of the only one, or of the listing of all."""
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in digests).encode()).hexdigest()


def expected_weights(files: Mapping[str, Entry]) -> dict[str, str]:
    """The same digest by the weights' name, of the certified files."""
    names = weights_by_folder(files)
    return {
        weights: combined([(PurePosixPath(p).name, e.sha256) for p, e in sorted(files.items()) if _is_in(p, folder)])
        for folder, weights in names.items()
    }


def _is_in(path: str, folder: str) -> bool:
    return path.endswith(WEIGHTS) and str(PurePosixPath(path).parent) == folder


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
