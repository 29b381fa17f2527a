"""What a version's folder may hold before MLflow is let near it: loading runs its code.

MLflow imports whatever module `MLmodel` names, from whatever folder it names, and unpickles what it is told to. So a
version is loaded only where `MLmodel` says what `package` makes it say, no link leads out of the folder, and the code
is the one it was registered with, or, where nobody has noted that, this package's own.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from proofline.config.load import read_yaml
from proofline.registry.package import LOADER, SOURCES, closure

CODE = "proofline.code"
"""The tag that holds the hash of a version's code."""
FLAVOUR = {"loader_module": LOADER, "code": "code"}
KNOWN = {*FLAVOUR, "config", "env", "python_version", "streamable"}
"""Of the flavour `python_function`; `data`, `python_model` and `artifacts` name what would be unpickled."""


def foreign(folder: Path, registered: str | None) -> str | None:
    """Why a version must not be loaded; None where it may. `registered`: the hash of its code by its tag."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            return f"it holds a symbolic link, {path.relative_to(folder)}, which a registration never stores"
    try:
        described: Any = read_yaml(folder / "MLmodel")
        flavour = dict(described["flavors"]["python_function"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"MLflow does not load it: its MLmodel cannot be read ({type(error).__name__})"
    if other := {name: flavour.get(name) for name, value in FLAVOUR.items() if flavour.get(name) != value}:
        said = ", ".join(f"{name} {value!r}" for name, value in other.items())
        return f"it is none of this project: its MLmodel has {said}, which would be run; nothing of it was"
    if unknown := sorted(flavour.keys() - KNOWN):
        return f"it is none of this project: its MLmodel has {', '.join(unknown)}; nothing of it was loaded"
    return _other_code(folder / "code", registered)


def code_hash() -> str:
    """Of the code that this package puts into a version."""
    modules, _ = closure()
    return _hashed((module.relative_to(SOURCES).as_posix(), module) for module in modules)


def _other_code(code: Path, registered: str | None) -> str | None:
    for compiled in code.rglob("__pycache__"):  # by which Python would go, and which no hash has seen
        shutil.rmtree(compiled)
    files = [path for path in code.rglob("*") if path.is_file()]
    found = _hashed((path.relative_to(code).as_posix(), path) for path in files)
    if found == (registered or code_hash()):
        return None
    meant = f"it was registered with {registered}" if registered else "nobody has noted what it should be"
    return f"its code has the hash {found}, and {meant}; nothing of it was run"


def _hashed(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
