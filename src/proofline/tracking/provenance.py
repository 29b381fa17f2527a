"""Where a run happened and with what: commit, library versions, hardware. Facts only, nothing here decides a result."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from proofline.config.processor import cpu_model, instruction_sets
from proofline.records import stable_id

LIBRARIES = (
    "accelerate", "datasets", "deepspeed", "dvc", "math-verify", "mlflow", "numpy", "peft", "proofline", "ray",
    "tokenizers", "torch", "transformers", "trl",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed version of each library that can change a result, by `version.<name>`; absent ones are left out."""
    found = {}
    for library in LIBRARIES:
        try:
            found[f"version.{library}"] = version(library)
        except PackageNotFoundError:
            continue
    return found | {"version.python": platform.python_version()}


def hardware() -> dict[str, str]:
    """Processor, cores this process may use, memory, and the GPUs that `nvidia-smi` lists."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = {
        "hardware.cpu": cpu_model(),
        "hardware.instructions": " ".join(instruction_sets()),
        "hardware.cores": str(len(os.sched_getaffinity(0))),
        "hardware.memory": f"{memory_bytes / 2**30:.0f} GiB",
        "hardware.gpus": "none",
    }
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        facts["hardware.gpus"] = _output(query) or "none"
    return facts


def git_facts(folder: Path) -> dict[str, str]:
    """Commit, and whether tracked files differ from it, `dvc.lock` aside: DVC rewrites that after every stage."""
    commit = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if not commit:
        return {}
    changes = ["status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)dvc.lock"]
    dirty = bool(_output(["git", "-C", str(folder), *changes]))
    return {"mlflow.source.git.commit": commit, "proofline.dirty": str(dirty).lower()}


def recipe_diff(folder: Path) -> str:
    """`git diff` of `params.yaml` against the commit; empty where the recipe is the committed one."""
    return _output(["git", "-C", str(folder), "diff", "HEAD", "--", "params.yaml"])


def invocation() -> str | None:
    """Id of the `dvc` process above this one (`dvc repro` is one process for all its stages); None by hand."""
    import psutil

    for process in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if any(Path(word).name == "dvc" for word in process.cmdline()[:3]):
                return stable_id(platform.node(), process.pid, process.create_time())
    return None


def _output(command: list[str]) -> str:
    """What a command prints; empty where it fails (no git repository, no driver): the fact is then absent."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""
