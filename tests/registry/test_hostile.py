"""A version that somebody else has made or changed: refused in a sentence, and nothing of it has run."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED

from proofline.config.load import load_params
from proofline.registry.inside import CODE, code_hash, foreign
from proofline.registry.promote import promote
from proofline.registry.register import register_version
from proofline.registry.store import RegistryError, by_number

pytestmark = pytest.mark.slow


class Runs:
    """Notes that it was unpickled."""

    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> tuple[Callable[[Path], object], tuple[Path]]:
        return Path.touch, (self.ran,)


@pytest.fixture(scope="module")
def version(store: Any, tiny_policy: Path) -> Any:
    client, _ = store
    return by_number(client, "sft", register_version(tiny_policy, "sft", {}, None, load_params(EMBEDDED)))


@pytest.fixture
def folder(version: Any, tmp_path: Path) -> Path:
    """A copy of what the store has of it."""
    return Path(shutil.copytree(version.source.removeprefix("file://"), tmp_path / "version"))


def runs(folder: Path, module: str) -> Path:
    """A module of a version's code that notes when it is imported."""
    path = folder / "code" / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n")
    return path


def says(folder: Path, before: str, after: str) -> None:
    text = (folder / "MLmodel").read_text()
    assert before in text
    (folder / "MLmodel").write_text(text.replace(before, after))


def other_loader(folder: Path) -> None:
    runs(folder, "evil.py")
    says(folder, "loader_module: proofline.serving", "loader_module: evil")


def pickled(folder: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Runs(folder / "ran")))
    says(folder, "loader_module: proofline.serving", "loader_module: mlflow.pyfunc.model")


def unpickled_beside(folder: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Runs(folder / "ran")))
    says(folder, "    code: code\n", "    code: code\n    python_model: python_model.pkl\n")


def code_elsewhere(folder: Path) -> None:
    runs(folder.parent, "proofline/serving.py")
    says(folder, "    code: code\n", "    code: ../code\n")


def weights_elsewhere(folder: Path) -> None:
    weights = folder / "model/model.safetensors"
    weights.rename(folder.parent / "other.safetensors")
    weights.symlink_to(folder.parent / "other.safetensors")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (other_loader, "its MLmodel has loader_module 'evil', which would be run"),
        (pickled, "its MLmodel has loader_module 'mlflow.pyfunc.model'"),
        (unpickled_beside, "its MLmodel has python_model; nothing of it was loaded"),
        (code_elsewhere, r"its MLmodel has code '\.\./code'"),
        (weights_elsewhere, "it holds a symbolic link, model/model.safetensors"),
        (lambda folder: runs(folder, "proofline/serving.py"), "its code has the hash"),
        (lambda folder: runs(folder, "torch.py"), "its code has the hash"),
        (lambda folder: (folder / "MLmodel").write_text("!!python/object/apply:os.abort []"), "MLmodel cannot be read"),
    ],
)
def test_what_is_not_as_it_was_registered_is_refused_before_it_runs(
    store: Any, folder: Path, harm: Callable[[Path], object], said: str
) -> None:
    """Also where somebody makes it a version by hand, and champion without evidence."""
    harm(folder)
    client, _ = store
    made = client.create_model_version("proofline-sft", f"file://{folder}")
    with pytest.raises(RegistryError, match=rf"version {made.version} stays out: .*{said}"):
        promote(client, "sft", int(made.version), folder, because="I was told to")
    assert not list(folder.parent.rglob("ran"))


def test_code_is_what_the_version_was_registered_with(version: Any, folder: Path) -> None:
    """Compiled code that lies beside it is not looked at by anybody, so it goes."""
    compiled = folder / "code/proofline/__pycache__/serving.cpython-311.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"other code")
    assert version.tags[CODE] == code_hash()
    assert foreign(folder, version.tags[CODE]) is None
    assert not compiled.exists()
    assert foreign(folder, None) is None, "that of this very package"
    assert "it was registered with 0" in str(foreign(folder, "0" * 16))
