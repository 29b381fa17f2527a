"""Files of DVC's that a power cut or a kill can leave cut off, and how to go on. DVC itself names the file at most.

`.dvc/tmp/rwlock` says which DVC processes use which paths now. It is written in place, so one that was killed then
leaves it empty or half, and every later command fails. `dvc.lock` is the state of the graph: what is cut off it is
in git or in the run cache, so nothing has to be computed again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

RWLOCK, LOCK = Path(".dvc/tmp/rwlock"), Path("dvc.lock")
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


class DvcStateError(ValueError):
    """A file of DVC's that is damaged."""


def check_dvc_state(root: Path) -> None:
    """Raises DvcStateError with the remedy where one of the files of the repository at `root` is damaged."""
    rwlock, lock = root / RWLOCK, root / LOCK
    if rwlock.is_file() and not _is_json(rwlock):
        raise DvcStateError(
            f"{rwlock} is damaged ({rwlock.stat().st_size} bytes, not JSON): DVC was stopped while it wrote it. When "
            f"no DVC runs here any more, `rm {rwlock}`: it only says which processes use what now, so nothing is lost"
        )
    if lock.is_file() and (fault := _fault(lock)):
        raise DvcStateError(
            f"{lock} is damaged ({fault}): `git checkout dvc.lock` in its folder brings back the committed one. Then "
            "`dvc repro` takes what had run since from the run cache and computes nothing that is there"
        )


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _fault(lock: Path) -> str | None:
    """What is wrong with a `dvc.lock`: by DVC's own schema, or an entry that ends too early, which that lets pass."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        found: Any = COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(lock.read_text(encoding="utf-8")))
    except (YAMLError, UnicodeDecodeError, Invalid) as error:
        return " ".join(str(error).split())[:120]
    if "stages" not in found:
        return "it has no stages"
    for name, stage in found["stages"].items():
        for entry in [*stage.get("deps", []), *stage.get("outs", [])]:
            if "size" not in entry or not MD5.fullmatch(str(entry.get("md5"))):
                return f"stage {name}, {entry['path']}: no md5 or no size"
    return None
