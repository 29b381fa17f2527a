"""What decides numbers beside recipe, rows and seed: the code, the libraries, the policy that is trained or drawn from.

What was found under one identity (a checkpoint, a reference's log-probabilities, a shard's results) is used again only
under the same.
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
DRAWING = (
    "answers", "data/examples.py", "data/prompts.py", "data/turns.py", "endpoint", "grading", "records.py", "sampling",
    "storage/space.py", "storage/weights.py", "verification",
)  # fmt: skip
"""What of the package draws, grades and verifies: all that its results depend on, by the same test."""
DRAWING_LIBRARIES = ("math-verify", "numpy", "safetensors", "sympy", "tokenizers", "torch", "transformers")


@cache
def software_identity(code: tuple[str, ...] = CODE, libraries: tuple[str, ...] = LIBRARIES) -> str:
    """A name for the code and the versions of the libraries that train, or do what else these say."""
    package = Path(__file__).parents[1]
    files = [file for part in code for file in [package / part, *package.glob(f"{part}/**/*.py")] if file.is_file()]
    hashes = {str(file.relative_to(package)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}
    return stable_id(hashes, [platform.python_version(), *map(_version, libraries)])


def policy_identity(folder: Path) -> str:
    """A name for a policy folder as the start of a training: its weights and what they mean."""
    return stable_id(weights_hash(folder), (folder / "config.json").read_text(encoding="utf-8"))


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
