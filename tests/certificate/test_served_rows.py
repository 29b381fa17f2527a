"""Solutions that a server drew: equivalent at best, and no worse for being other ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_graph import Repository

from proofline.certificate.decisions import summarise

pytestmark = pytest.mark.slow

SERVED = {"SERVER": "vllm 0.11.0"}


@pytest.fixture(scope="module")
def served(reproduced: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The experiment with solutions by a server, committed."""
    import shutil

    root = tmp_path_factory.mktemp("served") / "copy"
    shutil.copytree(reproduced.root, root, symlinks=True, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
    repository = Repository(root)
    repository.run("dvc", "repro", "-q", "-f", **SERVED)
    repository.proofline("manifest")
    repository.proofline("readme")
    repository.commit("served")
    return repository


def certified(repository: Repository, output: Path, **variables: str) -> dict[str, Any]:
    repository.proofline("certify", "--output", str(output), check=False, **variables)
    return json.loads(output.read_text())["predicate"]


def classes(predicate: dict[str, Any]) -> dict[str, str]:
    return {one["path"]: one["class"] for one in predicate["artefacts"]}


def test_the_same_bytes_are_equivalent_not_identical(served: Repository, tmp_path: Path) -> None:
    made = certified(served, tmp_path / "certificate.json", **SERVED)
    found = classes(made)
    assert made["verdict"] == "equivalent"
    assert {found[f"reports/evaluate/{policy}/greedy.jsonl"] for policy in ("base", "sft")} == {"equivalent"}
    assert found["models/sft"] == found["data/problems/test.jsonl"] == "identical"
    assert found["reports/evaluate/sft/greedy_grades.jsonl"] == "identical", "a function of rows that are the same"


def test_other_answers_by_the_same_weights_are_equivalent(served: Repository, tmp_path: Path) -> None:
    """Of the project's own loop they would be different (see `broken`)."""
    found = certified(served, tmp_path / "certificate.json", LUCK="3,4,5", **SERVED)
    assert found["verdict"] == "equivalent"
    assert classes(found)["reports/evaluate/sft/greedy.jsonl"] == "equivalent"
    assert found["metrics"]["count"], "held against the headline metrics"


def test_far_too_many_other_answers_are_different(served: Repository, tmp_path: Path) -> None:
    luck = ",".join(map(str, range(60)))
    found = certified(served, tmp_path / "certificate.json", LUCK=luck, **SERVED)
    assert found["verdict"] == "different"


def test_what_a_server_drew_may_be_drawn_again_without_one(served: Repository, tmp_path: Path) -> None:
    found = certified(served, tmp_path / "certificate.json")
    assert found["verdict"] == "equivalent"
    assert classes(found)["reports/evaluate/base/greedy.jsonl"] == "equivalent"


@pytest.mark.parametrize(
    ("row", "by_a_server"),
    [
        ({"server": "vllm"}, True),
        ({"server": ""}, False),
        ({"origin": "endpoint", "chain": "…"}, True),
        ({"origin": "program"}, False),
        ({"text": "endpoint"}, False),
        ([1], False),
    ],
)
def test_rows_say_who_wrote_them(row: Any, by_a_server: bool) -> None:
    assert summarise([json.dumps({"text": "ours"}), json.dumps(row)]).served is by_a_server
