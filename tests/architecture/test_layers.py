"""Who may import whom. The rooms build on each other in one direction; the heavy libraries have one or two doors."""

from __future__ import annotations

import subprocess
import sys

import pytest
from source_graph import REPOSITORY, imports, modules, room

FOUNDATION = {"records", "answers", "config"}
ALLOWED = {
    "records": set(),
    "answers": {"records"},
    "config": set(),
    "storage": FOUNDATION,
    "checkpoints": FOUNDATION | {"storage"},
    "tracking": FOUNDATION | {"storage"},
    "grading": FOUNDATION,
    "evaluation": FOUNDATION,
    "data": FOUNDATION | {"storage"},
    "base": FOUNDATION | {"data", "grading", "storage", "tracking", "sampling"},
    "endpoint": FOUNDATION | {"storage", "tracking"},
    "sampling": FOUNDATION | {"data", "grading", "storage", "tracking", "endpoint"},
    "training": FOUNDATION | {"data", "grading", "storage", "checkpoints", "tracking"},
    "verification": FOUNDATION | {"data", "grading", "storage", "tracking", "endpoint", "sampling"},
    "judging": FOUNDATION | {"data", "storage", "tracking", "endpoint", "evaluation", "sampling", "verification"},
    "serving": FOUNDATION | {"data", "storage", "sampling", "verification"},
    "registry": FOUNDATION
    | {"data", "grading", "evaluation", "storage", "tracking", "base", "sampling", "training", "verification"}
    | {"serving", "endpoint"},
    "certificate": FOUNDATION | {"evaluation", "storage", "tracking", "registry", "seeds"},
    "seeds": FOUNDATION | {"evaluation", "storage", "tracking", "registry"},
    "comparison": FOUNDATION | {"evaluation", "storage", "tracking", "registry", "certificate"},
    "graph": set(),
    "check": FOUNDATION | {"base", "data", "launch", "storage"},
    "explain": FOUNDATION | {"data", "storage", "sampling", "launch"},
}
ALLOWED["launch"] = ALLOWED["registry"] | {"registry", "checkpoints"}
ALLOWED["cli"] = set(ALLOWED) | {"cli"}

# A library and the only places that may import it: rooms, or single modules.
DOORS = {
    "mlflow": {"tracking", "registry"},
    "gcsfs": {"storage"},
    "fsspec": {"storage", "proofline.checkpoints.bucket"},
    "ray": {"launch"},
    "deepspeed": {"proofline.training.zero"},
    "peft": {"proofline.training.adapters"},
    "transformer_engine": {"proofline.training.precision"},
    "math_verify": {"grading"},
    "openai": {"endpoint"},
    "httpx2": {"endpoint"},
    "matplotlib": {"evaluation", "graph"},
    "torch": {"base", "sampling", "training", "verification", "registry", "launch"},
}


def test_imports_go_downwards() -> None:
    rooms = {room(module) for module in modules()} - {""}
    assert rooms <= set(ALLOWED), f"new rooms {rooms - set(ALLOWED)}: say here what they may import"
    wrong = [
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in imports(path)
        if name in modules() and room(name) not in {room(module), *ALLOWED.get(room(module), ())}
    ]
    assert not wrong


def test_heavy_libraries_come_in_by_their_door() -> None:
    wrong = [
        f"{module} imports {name}; only {sorted(doors)} may"
        for module, path in modules().items()
        for name in imports(path)
        if (doors := DOORS.get(name.partition(".")[0])) and not doors & {room(module), module}
    ]
    assert not wrong


@pytest.mark.parametrize(
    "light", ["answers", "checkpoints", "config", "data", "evaluation", "grading", "records", "storage"]
)
def test_rooms_without_torch_run_without_torch(light: str) -> None:
    """Importing every module of the room, for real: a library may import torch where no line of ours says so."""
    names = [name for name in modules() if room(name) == light]
    program = f"import sys, {', '.join(names)}\nprint(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"torch", "transformers", "trl", "mlflow", "ray", "deepspeed"}


def test_stages_do_not_import_each_other() -> None:
    for path in sorted((REPOSITORY / "stages").glob("*.py")):
        ours = {name for name in imports(path) if name.startswith(("stages", "proofline.cli"))}
        assert not ours, f"{path.name} imports {ours}"
