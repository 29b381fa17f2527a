"""`dvc.lock` as a graph: what each stage read, wrote and ran with, and which stage needs which.

In: the file's bytes, from a commit or a folder. Out: `Lock`. Paths are as DVC writes them; the md5 of a folder ends in
`.dir` and is that of the sorted listing of its files (`folder_md5`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from proofline.records import stable_id
from proofline.tracking.lineage import stage_identity


class LockError(ValueError):
    """A `dvc.lock` that cannot be read."""


@dataclass(frozen=True)
class Stage:
    """One entry of the lock."""

    name: str
    command: str
    deps: dict[str, str]
    """md5 by path."""
    outs: dict[str, str]
    params: dict[str, Any]

    @property
    def identity(self) -> str:
        """The one that the runs of this stage carry as a tag."""
        return stage_identity(self.command, self.deps, self.params)


@dataclass(frozen=True)
class Lock:
    """All stages, those that others need first."""

    stages: dict[str, Stage]
    sha256: str

    @property
    def outs(self) -> dict[str, str]:
        """md5 of everything that stages write."""
        return {path: md5 for stage in self.stages.values() for path, md5 in stage.outs.items()}

    @property
    def recipe(self) -> str:
        """The identity of what `params.yaml` decides, all stages together; code does not count."""
        return stable_id([[stage.name, stage.params] for stage in sorted(self.stages.values(), key=lambda s: s.name)])

    @property
    def params(self) -> dict[str, Any]:
        """The recipe's values by file and key."""
        merged: dict[str, Any] = {}
        for stage in self.stages.values():
            for file, values in stage.params.items():
                merged.setdefault(file, {}).update(values)
        return merged

    def needs(self, stage: Stage) -> list[Stage]:
        """The stages whose outs this one reads."""
        return [other for other in self.stages.values() if any(True for _ in read_outs(stage, other))]

    def upstream(self, name: str) -> set[str]:
        """The stages that this one needs, directly or not."""
        found: set[str] = set()
        waiting = [self.stages[name]]
        while waiting:
            for other in self.needs(waiting.pop()):
                if other.name not in found:
                    found.add(other.name)
                    waiting.append(other)
        return found

    def downstream(self, name: str) -> set[str]:
        return {other for other in self.stages if name in self.upstream(other)}


def read_outs(stage: Stage, other: Stage) -> Iterator[str]:
    """The outs of `other` that `stage` reads: by their path, or by a folder above or below."""
    for out in other.outs:
        if any(dep == out or below(dep, out) or below(out, dep) for dep in stage.deps):
            yield out


def below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def parse_lock(content: bytes) -> Lock:
    """Raises LockError where the file is not what DVC writes."""
    try:
        entries = YAML(typ="safe", pure=True).load(content.decode("utf-8"))["stages"]
        stages = {
            name: Stage(
                name=name,
                command=entry["cmd"],
                deps={dep["path"]: dep.get("md5", "") for dep in entry.get("deps", [])},
                outs={out["path"]: out["md5"] for out in entry.get("outs", [])},
                params=entry.get("params", {}),
            )
            for name, entry in entries.items()
        }
    except (YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise LockError(f"dvc.lock is not a lock of DVC's ({found}); make it anew with `dvc repro`") from None
    lock = Lock(stages, hashlib.sha256(content).hexdigest())
    order = sorted(stages, key=lambda name: len(lock.upstream(name)))
    return Lock({name: stages[name] for name in order}, lock.sha256)


def folder_md5(md5_by_name: Mapping[str, str]) -> str:
    """DVC's hash of a folder: of the listing of its files, names relative to it."""
    listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(md5_by_name.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"
