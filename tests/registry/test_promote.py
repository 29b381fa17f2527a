"""The gate and the way back, over versions in a real SQLite store and reports with known effects.

Where only the gate or the order of champions is in question, loading is left out (`unexamined`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED
from gate_reports import verifier, write_policy, write_verifier
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import empty_database

from proofline.config.load import load_params
from proofline.registry import promote as promotion
from proofline.registry.evidence import GateError
from proofline.registry.history import champions, history
from proofline.registry.promote import promote, rollback, version_of
from proofline.registry.register import register_version
from proofline.registry.store import RegistryError, aliases, open_registry, versions

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of an empty store."""
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    monkeypatch.setenv("PROOFLINE_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return open_registry()[0]


@pytest.fixture
def unexamined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "examine", lambda client, version: None)


def add_version(client: Any, policy: str, weights: str) -> None:
    """A version without files: the gate does not look into them."""
    name = f"proofline-{policy}"
    if not versions(client, policy):
        client.create_registered_model(name)
    version = client.create_model_version(name, f"file:///{weights}", tags={"proofline.weights": weights})
    client.set_registered_model_alias(name, "candidate", str(version.version))


def champion(client: Any, policy: str = "sft") -> int | None:
    return aliases(client, policy).get("champion")


def crowned(client: Any, *numbers: int) -> None:
    for number in numbers:
        promote(client, "sft", number, Path("nowhere"), because=f"number {number}'s turn")


def test_a_better_candidate_becomes_champion_and_can_be_rolled_back(
    client: Any, tmp_path: Path, unexamined: None
) -> None:
    for weights in ("one", "two"):
        add_version(client, "sft", weights)
        write_policy(tmp_path, "sft", weights, wins=20)
        said = promote(client, "sft", None, tmp_path)
        assert said.startswith("+SFT beats base in greedy accuracy: +20.0 points (95% CI +13")
    assert [entry.evidence for entry in history(client, "sft")] == [said, said]
    assert champion(client) == 2
    assert rollback(client, "sft") == 1
    assert champion(client) == 1
    with pytest.raises(RegistryError, match="no earlier champion to return to: version 1 is the first one"):
        rollback(client, "sft")


def test_a_way_back_has_an_end_and_all_evidence_is_kept(client: Any, unexamined: None) -> None:
    """Promote 3, promote 1, roll back: 3; then there is nothing before it, rather than 1 again."""
    for weights in ("one", "two", "three"):
        add_version(client, "sft", weights)
    crowned(client, 3, 1)
    assert rollback(client, "sft") == 3
    with pytest.raises(RegistryError, match="version 3 is the first one"):
        rollback(client, "sft")
    crowned(client, 1, 3)
    told = [(entry.kind, entry.version, entry.evidence) for entry in history(client, "sft")]
    assert told == [
        ("promote", 3, "without evidence: number 3's turn"),
        ("promote", 1, "without evidence: number 1's turn"),
        ("rollback", 3, "from version 1"),
        ("promote", 1, "without evidence: number 1's turn"),
        ("promote", 3, "without evidence: number 3's turn"),
    ]
    assert rollback(client, "sft") == 1
    assert rollback(client, "sft") == 3


@pytest.mark.parametrize(("deleted", "back"), [({3}, 2), ({2}, 1), ({2, 3}, 1)])
def test_deleted_versions_are_passed_over(client: Any, unexamined: None, deleted: set[int], back: int) -> None:
    for weights in ("one", "two", "three"):
        add_version(client, "sft", weights)
    crowned(client, 1, 2, 3)
    for number in deleted:
        client.delete_model_version("proofline-sft", str(number))
    assert rollback(client, "sft") == back == champion(client)
    assert [entry.version for entry in history(client, "sft")] == [1, 2, 3, back]


def test_when_nothing_is_left_to_return_to_it_says_why(client: Any, unexamined: None) -> None:
    for weights in ("one", "two"):
        add_version(client, "sft", weights)
    crowned(client, 1, 2)
    client.delete_model_version("proofline-sft", "1")
    with pytest.raises(RegistryError, match="no earlier champion to return to: version 1: deleted"):
        rollback(client, "sft")
    assert champion(client) == 2


def test_a_champion_made_by_hand_is_on_the_way_back(client: Any, unexamined: None) -> None:
    for weights in ("one", "two", "three"):
        add_version(client, "sft", weights)
    client.set_registered_model_alias("proofline-sft", "champion", "2")
    crowned(client, 3)
    client.set_registered_model_alias("proofline-sft", "champion", "1")
    assert rollback(client, "sft") == 3
    assert rollback(client, "sft") == 2


def test_an_entry_of_the_history_can_be_deleted_without_losing_the_rest(client: Any, unexamined: None) -> None:
    for weights in ("one", "two", "three"):
        add_version(client, "sft", weights)
    crowned(client, 1, 2, 3)
    client.delete_model_version("proofline-promotions", "2")
    assert [entry.version for entry in history(client, "sft")] == [1, 3]


@settings(max_examples=8)
@given(steps=st.lists(st.sampled_from(["back", 1, 2, 3]), min_size=1, max_size=7))
def test_any_order_of_steps_is_told_as_it_was(tmp_path_factory: pytest.TempPathFactory, steps: list[str | int]) -> None:
    """A model of the registry as a stack of champions says the same."""
    root = tmp_path_factory.mktemp("steps")
    (root / "mlflow.db").write_bytes(empty_database())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROOFLINE_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        patch.setenv("DVC_ROOT", str(root))
        patch.setattr(promotion, "examine", lambda client, version: None)
        client, _ = open_registry()
        for weights in ("one", "two", "three"):
            add_version(client, "sft", weights)
        stack: list[int] = []
        for step in steps:
            if step != "back":
                crowned(client, int(step))
                stack += [] if stack[-1:] == [step] else [int(step)]
            elif len(stack) > 1:
                stack.pop()
                at = max(i for i, version in enumerate(stack) if version == stack[-1])
                assert rollback(client, "sft") == stack[at]
            else:
                with pytest.raises(RegistryError):
                    rollback(client, "sft")
            assert champion(client) == (stack[-1] if stack else None)
            assert champions(history(client, "sft")) == stack


def test_the_gate_holds_back_what_is_not_shown_to_be_better(client: Any, tmp_path: Path, unexamined: None) -> None:
    add_version(client, "dpo", "one")
    write_policy(tmp_path, "dpo", "one", wins=12, losses=10)
    asked = (
        r"version 1 stays out: it has to beat base in greedy accuracy\. The report: No difference shown between \+SFT"
    )
    with pytest.raises(GateError, match=asked + r"\+DPO and base .*: \+2\.0 points \(95% CI −.*`--because REASON`"):
        promote(client, "dpo", None, tmp_path)
    with pytest.raises(RegistryError, match="no earlier champion to return to: there is none"):
        rollback(client, "dpo")
    promote(client, "dpo", 1, tmp_path, because="needed as the reference of a comparison")
    kept = client.get_model_version_by_alias("proofline-dpo", "champion").tags["proofline.evidence"]
    assert kept == "without evidence: needed as the reference of a comparison"


def test_reports_about_other_weights_prove_nothing_and_lead_to_their_version(client: Any, tmp_path: Path) -> None:
    for weights in ("one", "two"):
        add_version(client, "dpo", weights)
    write_policy(tmp_path, "dpo", "one", wins=80)
    with pytest.raises(GateError, match="dpo with weights one, the version has two; they are about version 1"):
        promote(client, "dpo", None, tmp_path)
    client.set_model_version_tag("proofline-dpo", "2", "proofline.experiment", "hot-seed")
    with pytest.raises(GateError, match="version 2 has its reports in `--experiment hot-seed`"):
        promote(client, "dpo", 2, tmp_path)


def test_a_verifier_that_looks_becomes_champion_in_the_words_of_the_report(
    client: Any, tmp_path: Path, unexamined: None
) -> None:
    add_version(client, "genrm", "one")
    said = promote(client, "genrm", None, write_verifier(tmp_path, verifier()))
    assert said == (
        "GenRM tells right from wrong samples of one problem and one layout: AUROC 0.78 (95% CI 0.73 to 0.83) over the "
        "170 problems that have both, against 0.50 by layout alone, 0.52 by length alone, 0.55 by the sampler's "
        "log-probability, 0.55 by the sampler's log-probability per token and 0.56 by agreement of the samples. "
        "GenRM stays 0.17 (95% CI 0.12 to 0.22) below the program's check, which reaches 0.95 there. "
        "best-of-8 by GenRM beats a single sample in accuracy on the samples of +SFT+DPO: +10.0 points "
        "(95% CI +5.0 to +15.0, p = 0.003)."
    )
    assert champion(client, "genrm") == 1
    assert history(client, "genrm")[-1].evidence == said


def test_a_verifier_that_reads_layouts_stays_out(client: Any, tmp_path: Path, unexamined: None) -> None:
    """Though it gains by choosing. So does one of an older run, unless there is a reason."""
    add_version(client, "genrm", "one")
    write_verifier(tmp_path, verifier(0.52))
    said = r"version 1 stays out: it has to tell right from wrong .* The report: GenRM is not shown to tell"
    with pytest.raises(GateError, match=said):
        promote(client, "genrm", None, tmp_path)
    older = verifier()
    del older["overall"]["auroc_within_layout"]
    write_verifier(tmp_path, older)
    with pytest.raises(GateError, match="it has no 'auroc_within_layout'; run `dvc repro`; or `--because"):
        promote(client, "genrm", None, tmp_path)
    assert champion(client, "genrm") is None
    assert version_of(client, "genrm", tmp_path) == 1
    promote(client, "genrm", 1, tmp_path, because="of an older run")
    assert champion(client, "genrm") == 1


def test_absent_versions_and_reports_are_named(client: Any, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="proofline-base has no candidate"):
        promote(client, "base", None, tmp_path)
    add_version(client, "other", "one")
    with pytest.raises(RegistryError, match="has no version 7; there are: 1"):
        promote(client, "other", 7, tmp_path)
    with pytest.raises(GateError, match=r"metrics\.json is absent: .* run `dvc repro`"):
        promote(client, "other", 1, tmp_path)


def test_a_version_made_by_hand_needs_a_reason(client: Any, tmp_path: Path, unexamined: None) -> None:
    client.create_registered_model("proofline-sft")
    client.create_model_version("proofline-sft", "file:///somewhere")
    with pytest.raises(GateError, match="was made by hand and names no weights"):
        promote(client, "sft", 1, tmp_path)
    promote(client, "sft", 1, tmp_path, because="known to be good")
    assert champion(client) == 1


def test_what_does_not_load_is_no_champion_and_no_way_back(
    client: Any, shifted: Callable[[float], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by a reason nor by a roll-back; registered again it is."""
    params = load_params(EMBEDDED)
    folders = {number: shifted(number / 10) for number in (1, 2, 3)}
    for folder in folders.values():
        register_version(folder, "sft", {}, None, params)
    files = {int(one.version): Path(one.source.removeprefix("file://")) for one in versions(client, "sft")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promotion, "examine", lambda client, version: None)
        crowned(client, 1, 2, 3)
    shutil.rmtree(files[2])
    with pytest.raises(RegistryError, match=r"version 2 stays out: its files are lost.*registry register sft"):
        crowned(client, 2)
    weights = bytearray((files[3] / "model" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (files[3] / "model" / "model.safetensors").write_bytes(weights)
    with pytest.raises(RegistryError, match="version 3 stays out: its weights have the hash"):
        crowned(client, 3)
    assert champion(client) == 3
    assert rollback(client, "sft") == 1
    assert "passed over version 2: its files are lost" in history(client, "sft")[-1].evidence
    (files[1] / "MLmodel").unlink()
    with pytest.raises(RegistryError, match="version 1 stays out: MLflow does not load it"):
        crowned(client, 1)
    for number, folder in folders.items():
        assert register_version(folder, "sft", {}, None, params) == number
    crowned(client, 2)
    assert capsys.readouterr().err.count("is stored again") == 3
