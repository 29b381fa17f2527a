"""What several rooms' tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# What is tested is this checkout, whatever is installed: here and in the processes that tests start.
SOURCE = str(Path(__file__).parents[1] / "src")
sys.path.insert(0, SOURCE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))

# A user's settings are theirs: no test starts with them, nor with what Git tells a hook that runs the tests.
PUBLISHED_DATA = os.environ.get("PROOFLINE_DATA_ROOT")
SETTINGS = ("PROOFLINE_", "MLFLOW_", "DVC_", "GIT_", "GCSFS_", "FSSPEC_", "STORAGE_EMULATOR_HOST", "RAY_ADDRESS")
for name in [name for name in os.environ if name.startswith(SETTINGS)]:
    del os.environ[name]
os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
# Nor does every process that a test starts compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Before anything imports PyTorch: the same arithmetic in this process as in those that stages start.
from proofline.config.collector import collect_seldom  # noqa: E402
from proofline.config.environment import Environment, all_cores  # noqa: E402
from proofline.launch.instructions import settle  # noqa: E402

settle(Environment())
collect_seldom()

# On a busy machine an example takes as long as it takes: that says nothing about the code.
settings.register_profile("proofline", deadline=None)
settings.load_profile("proofline")


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: tests of servers and killed processes wait for much of their time."""
    return min(all_cores() + 2, 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: at the end the short ones fill up what the workers have left."""
    minutes: dict[Path, float] = {}
    for item in items:
        if slow := item.get_closest_marker("slow"):
            minutes[item.path] = max(minutes.get(item.path, 0.0), slow.kwargs.get("minutes", 1.0))
    items.sort(key=lambda item: -minutes.get(item.path, 0.0))


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests start in an empty folder: in the repository they would find the user's settings, recipe and runs."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def published_data() -> str | None:
    """The user's word on where the published data sets are."""
    return PUBLISHED_DATA


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised tiny Qwen2 with the project's own tokenizer, as a Hugging Face folder."""
    from proofline.base.pretraining import build_model, build_tokenizer
    from proofline.config.schema import Pretraining, Prompts

    section = Pretraining(
        hidden_size=64, num_layers=2, num_heads=4, num_kv_heads=2, intermediate_size=128, vocab_size=512,
        sequence_length=128, batch_size=2, max_steps=1, learning_rate=1e-3, warmup_steps=0,
    )  # fmt: skip
    prompts = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
    folder = tmp_path_factory.mktemp("tiny") / "policy"
    tokenizer = build_tokenizer(section, prompts, seed=0)
    build_model(section, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
