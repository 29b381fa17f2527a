"""What decides a training's numbers beside recipe, rows and seed: the code, the libraries, the policy it starts from.

What was found under one identity (a checkpoint, a reference's log-probabilities) is used again only under the same.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from proofline.records import stable_id
from proofline.storage.weights import weights_hash

CODE = ("records.py", "checkpoints", "data/prompts.py", "data/turns.py", "storage", "training")
"""What of the package a training runs; a test holds it against what the stages import."""
LIBRARIES = (
    "accelerate", "datasets", "deepspeed", "numpy", "peft", "safetensors", "tokenizers", "torch", "torchao",
    "transformer-engine", "transformers", "trl",
)  # fmt: skip


@cache
def software_identity() -> str:
    """A name for the code and the versions of the libraries that train."""
    package = Path(__file__).parents[1]
    files = [file for part in CODE for file in [package / part, *package.glob(f"{part}/**/*.py")] if file.is_file()]
    code = {str(file.relative_to(package)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}
    return stable_id(code, [platform.python_version(), *map(_version, LIBRARIES)])


def policy_identity(folder: Path) -> str:
    """A name for a policy folder as the start of a training: its weights and what they mean."""
    return stable_id(weights_hash(folder), (folder / "config.json").read_text(encoding="utf-8"))


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
