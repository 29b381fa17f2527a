"""The gate and the way back, over versions in a real SQLite store and reports with known effects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proofline.records import Grade
from proofline.registry.promote import GateError, RegistryError, promote, rollback
from proofline.registry.register import versions
from proofline.storage.records import write_records

pytestmark = pytest.mark.slow


def add_version(client: Any, policy: str, weights: str) -> None:
    """A version without files: the gate does not look into them."""
    name = f"proofline-{policy}"
    if not versions(client, policy):
        client.create_registered_model(name)
    version = client.create_model_version(name, f"file:///{weights}", tags={"proofline.weights": weights})
    client.set_registered_model_alias(name, "candidate", str(version.version))


def write_greedy(reports: Path, policy: str, weights: str, solved: int) -> None:
    """A report on 100 problems of which the first `solved` are right."""
    folder = reports / "evaluate" / policy
    grades = [
        Grade(
            solution_id=f"{policy}-{i}", problem_id=f"p{i}", verdict="correct" if i < solved else "wrong",
            extracted="1", reason="", grader="test",
        )
        for i in range(100)
    ]  # fmt: skip
    write_records(folder / "greedy_grades.jsonl", grades)
    (folder / "metrics.json").write_text(json.dumps({"weights": weights, "confidence": 0.95}))


def write_verifier(reports: Path, low: float) -> None:
    gain = {"value": low + 0.03, "low": low, "high": low + 0.06}
    (reports / "verify").mkdir(parents=True)
    metrics = {"overall": {"gains": {"best_of_over_one": {"difference": gain}}}}
    (reports / "verify" / "metrics.json").write_text(json.dumps(metrics))


def champion(client: Any, policy: str) -> int:
    return int(client.get_model_version_by_alias(f"proofline-{policy}", "champion").version)


def test_a_better_candidate_becomes_champion_and_can_be_rolled_back(store: Any, tmp_path: Path) -> None:
    client, _ = store
    write_greedy(tmp_path, "base", "b", solved=40)
    for weights in ("one", "two"):
        add_version(client, "sft", weights)
        write_greedy(tmp_path, "sft", weights, solved=60)
        assert promote(client, "sft", None, tmp_path).startswith("sft over base in greedy accuracy: +20.0 points [+13")
    assert champion(client, "sft") == 2
    assert rollback(client, "sft") == 1
    assert champion(client, "sft") == 1
    with pytest.raises(RegistryError, match="no earlier champion to return to: version 1 is the first one"):
        rollback(client, "sft")


def test_the_gate_holds_back_what_is_not_shown_to_be_better(store: Any, tmp_path: Path) -> None:
    client, _ = store
    add_version(client, "dpo", "one")
    write_greedy(tmp_path, "base", "b", solved=40)
    write_greedy(tmp_path, "dpo", "one", solved=42)
    with pytest.raises(GateError, match=r"version 1 stays out: .*\+2\.0 points \[-"):
        promote(client, "dpo", None, tmp_path)
    with pytest.raises(RegistryError, match="no earlier champion to return to: there is none"):
        rollback(client, "dpo")
    promote(client, "dpo", 1, tmp_path, because="needed as the reference of a comparison")
    kept = client.get_model_version_by_alias("proofline-dpo", "champion").tags["proofline.evidence"]
    assert kept == "without evidence: needed as the reference of a comparison"


def test_reports_about_other_weights_prove_nothing(store: Any, tmp_path: Path) -> None:
    client, _ = store
    add_version(client, "dpo", "two")
    write_greedy(tmp_path, "base", "b", solved=10)
    write_greedy(tmp_path, "dpo", "three", solved=90)
    with pytest.raises(GateError, match="dpo with weights three, the version has two"):
        promote(client, "dpo", None, tmp_path)


def test_a_verifier_is_judged_by_its_reranking(store: Any, tmp_path: Path) -> None:
    client, _ = store
    add_version(client, "genrm", "one")
    for name, low in (("fails", -0.01), ("passes", 0.01)):
        write_greedy(tmp_path / name, "genrm", "one", solved=0)
        write_verifier(tmp_path / name, low)
    with pytest.raises(GateError, match=r"best-of-N by GenRM over a single sample: \+2\.0 points \[-1\.0, \+5\.0\]"):
        promote(client, "genrm", None, tmp_path / "fails")
    promote(client, "genrm", None, tmp_path / "passes")
    assert champion(client, "genrm") == 1


def test_absent_versions_and_reports_are_named(store: Any, tmp_path: Path) -> None:
    client, _ = store
    with pytest.raises(RegistryError, match="proofline-base has no candidate"):
        promote(client, "base", None, tmp_path)
    add_version(client, "other", "one")
    with pytest.raises(RegistryError, match="has no version 7; there are: 1"):
        promote(client, "other", 7, tmp_path)
    with pytest.raises(GateError, match=r"metrics\.json is absent: .* run `dvc repro`"):
        promote(client, "other", 1, tmp_path)
