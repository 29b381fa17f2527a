"""What DVC knows about a stage: its command, the content of its inputs and outputs, and so its identity.

In: a stage's address as DVC writes it (`evaluate@sft`). Out: paths with the md5 that `dvc.lock` will hold (a
directory's ends in `.dir`) and their size in bytes. Hashes come from DVC itself, whose cache of them makes it
about 10 ms a stage; the import costs 0.3 s, which the recorder pays while the stage imports torch.

The identity is a hash of (command, dependencies' md5, parameters). The run that executes a stage carries it as a
tag, and `dvc.lock` gives the same one afterwards, also on a machine that restored the stage from a cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from proofline.records import stable_id

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.stage import PipelineStage


@dataclass(frozen=True)
class Item:
    """One dependency or output."""

    path: str
    md5: str
    size_bytes: int

    @property
    def is_code(self) -> bool:
        path = PurePosixPath(self.path)
        return path.suffix == ".py" or path.parts[0] in ("src", "stages")


@dataclass(frozen=True)
class Lineage:
    """A stage's command, what it depends on, and the hash of both."""

    command: str
    inputs: tuple[Item, ...]
    params: dict[str, Any]
    """Values by parameter file and key, as in `dvc.lock`."""

    @property
    def identity(self) -> str:
        return stage_identity(self.command, {item.path: item.md5 for item in self.inputs}, self.params)


class LineageError(ValueError):
    """DVC does not know the stage, or one of its inputs is absent."""


def stage_identity(command: str, md5_by_path: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """16 hex digits; equal for two executions that DVC would call the same."""
    return stable_id(command, dict(md5_by_path), dict(params))


def stage_lineage(folder: Path, stage: str) -> Lineage:
    """Inputs of a stage as they lie in the repository at `folder` now."""
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException

    loaded = _load(folder, stage)
    try:
        loaded.save_deps()
    except DvcException as error:
        raise LineageError(f"inputs of stage {stage!r} are unknown: {error}") from error
    params = {dep.def_path: dep.hash_info.value for dep in loaded.deps if isinstance(dep, ParamsDependency)}
    inputs = tuple(_item(dep) for dep in loaded.deps if not isinstance(dep, ParamsDependency))
    return Lineage(command=loaded.cmd, inputs=inputs, params=params)


def stage_outputs(folder: Path, stage: str) -> tuple[Item, ...]:
    """Outputs of a stage that exist now; hashing them here leaves DVC nothing to hash when the stage has ended."""
    outs = [out for out in _load(folder, stage).outs if out.exists]
    for out in outs:
        out.hash_info, out.meta = out.get_hash(), out.get_meta()
    return tuple(_item(out) for out in outs)


def locked_identities(folder: Path) -> dict[str, str]:
    """Identity of every stage in `dvc.lock`: of the last reproduction, whether a stage ran or came from a cache."""
    from ruamel.yaml import YAML

    lock = folder / "dvc.lock"
    if not lock.exists():
        raise LineageError(f"{lock} is absent: nothing has been reproduced here; run `dvc repro` first")
    stages = YAML(typ="safe", pure=True).load(lock)["stages"]
    return {
        stage: stage_identity(
            entry["cmd"], {dep["path"]: dep["md5"] for dep in entry.get("deps", [])}, entry.get("params", {})
        )
        for stage, entry in stages.items()
    }


@lru_cache(maxsize=1)  # a recorder asks for one stage, before and after
def _load(folder: Path, stage: str) -> PipelineStage:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return Repo(str(folder)).stage.load_one(
            path=str(folder / "dvc.yaml"), name=stage
        )  # else the working directory's
    except DvcException as error:
        raise LineageError(f"DVC does not know a stage {stage!r} in {folder}: {error}") from error


def _item(out: Output) -> Item:
    return Item(out.def_path, out.hash_info.value, out.meta.size or 0)
