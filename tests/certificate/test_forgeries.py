"""Every way of saying more than is true that we could think of: found, and named by the file that it is in."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_graph import Repository

from proofline.certificate.assess import Assessment, assess
from proofline.certificate.check import CommittedError, check_committed, check_readme
from proofline.certificate.commit import read_commit
from proofline.certificate.signing import SignatureError, opened, private_key, sign
from proofline.certificate.stored import open_store
from proofline.certificate.verify import CertificateError, Findings, verify

pytestmark = pytest.mark.slow(minutes=2)
Statement = dict[str, Any]
FORGED = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _in_the_copy(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that count are the copy's."""
    for name in [name for name in os.environ if name.startswith(("DVC_", "PROOFLINE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(repository.root)


@pytest.fixture(params=["identical", "lucky"])
def made(request: pytest.FixtureRequest, clones: dict[str, Path]) -> Statement:
    """An honest certificate."""
    return json.loads(clones[request.param].with_suffix(".json").read_text())


def checked(statement: Statement, repository: Repository) -> Findings:
    return verify(statement, read_commit(repository.root), repository.root)


def judged(repository: Repository, clone: Path, scratch: Path) -> Assessment:
    return assess(read_commit(repository.root), clone, open_store(repository.root, scratch))


def test_an_honest_certificate_holds(made: Statement, repository: Repository) -> None:
    assert checked(made, repository).faults == []


def test_an_honest_commit_agrees_with_itself(repository: Repository) -> None:
    assert "dvc.lock, dvc.decisions.json (15 files, 300 rows), README and pictures agree" in check_committed(
        read_commit(repository.root)
    )
    check_readme(repository.root)


@pytest.mark.parametrize(
    "path",
    [
        "data/problems/test.jsonl", "data/curation.json", "models/base", "models/sft",
        "reports/evaluate/sft/greedy.jsonl", "reports/evaluate/sft/metrics.json", "reports/metrics.json",
        "reports/results.md", "reports/plots",
        "stages/run.py", "reports/evaluate",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", [0, -1], ids=["first", "last"])
def test_one_hash_of_the_lock_edited_by_hand(
    repository: Repository, clones: dict[str, Path], tmp_path: Path, path: str, where: int
) -> None:
    """Where the stage that wrote it has it, and where the last one that reads it does."""
    true = repository.md5_in_lock(path)
    forged = FORGED + (".dir" if true.endswith(".dir") else "")
    lines = (repository.root / "dvc.lock").read_text().splitlines(keepends=True)
    number = [number for number, line in enumerate(lines) if line.strip() == f"md5: {true}"][where]
    lines[number] = lines[number].replace(true, forged)
    (repository.root / "dvc.lock").write_text("".join(lines))
    repository.commit("forged")
    with pytest.raises(CommittedError, match=path):
        check_committed(read_commit(repository.root))
    for processor in ("identical", "lucky"):
        found = judged(repository, clones[processor], tmp_path)
        assert str(found.rank) == "different"
        assert any(path in fault and forged in fault for fault in found.faults)
        if path in found.verdicts and where == 0:
            assert str(found.verdicts[path].rank) == "different"
            assert forged in found.verdicts[path].reason


def test_a_hash_forged_in_the_manifest_as_well_comes_out_only_by_running(
    repository: Repository, clones: dict[str, Path], tmp_path: Path
) -> None:
    true = repository.md5_in_lock("data/problems/test.jsonl")
    for name in ("dvc.lock", "dvc.decisions.json"):
        file = repository.root / name
        file.write_text(file.read_text().replace(true, FORGED))
    repository.commit("forged")
    assert "agree" in check_committed(read_commit(repository.root))
    found = judged(repository, clones["identical"], tmp_path).verdicts["data/problems/test.jsonl"]
    assert str(found.rank) == "same decisions", "the manifest's rows are what came out: only their bytes are unheard of"


def test_a_changed_parameter_a_changed_command_and_an_added_stage(
    repository: Repository, clones: dict[str, Path], tmp_path: Path
) -> None:
    repository.edit("dvc.lock", "rate: 1e-05", "rate: 2e-05")
    repository.edit("dvc.lock", "run.py report", "run.py report --well")
    lock = repository.root / "dvc.lock"
    stage = "  invented:\n    cmd: python\n    outs:\n    - path: data/more.jsonl\n      hash: md5\n      md5: 00\n"
    lock.write_text(lock.read_text() + stage)
    repository.commit("forged")
    faults = judged(repository, clones["identical"], tmp_path).faults
    assert any("a stage invented, the graph has none" in fault for fault in faults)
    assert any("train_sft ran with another sft" in fault for fault in faults)
    assert any("report ran `python stages/run.py report --well`" in fault for fault in faults)


@pytest.mark.parametrize("path", ["reports/evaluate/sft/metrics.json", "reports/metrics.json"])
def test_a_metric_forged_in_the_manifest(repository: Repository, path: str) -> None:
    file = repository.root / "dvc.decisions.json"
    lines = file.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith(f'"{path}"'))
    lines[at] = lines[at].replace("0.6666666666666666", "0.7666666666666666")
    file.write_text("".join(lines))
    repository.commit("forged")
    with pytest.raises(CommittedError, match=rf"the values of {path} are not those of the file"):
        check_committed(read_commit(repository.root))


def test_rows_forged_in_the_manifest(repository: Repository, clones: dict[str, Path], tmp_path: Path) -> None:
    """Told by the file while it is at hand, by running when it is not."""
    path = "reports/evaluate/base/greedy.jsonl"
    file = repository.root / "dvc.decisions.json"
    manifest = json.loads(file.read_text())
    digests = bytearray(base64.b64decode(manifest["files"][path]["rows"]["decisions"]))
    digests[40] ^= 1
    manifest["files"][path]["rows"]["decisions"] = base64.b64encode(bytes(digests)).decode()
    file.write_text(json.dumps(manifest))
    repository.commit("forged")
    assert any(path in fault for fault in judged(repository, clones["identical"], tmp_path).faults)


@pytest.mark.parametrize("processor", ["identical", "lucky"])
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("reports/evaluate/base/greedy.jsonl", '"text": "right"', '"text": "tight"'),
        ("reports/evaluate/base/greedy_grades.jsonl", '"wrong"', '"correct"'),
        ("data/problems/test.jsonl", '"answer": "3"', '"answer": "4"'),
        ("reports/evaluate/base/metrics.json", '"value": 0.3333333333333333', '"value": 0.4333333333333333'),
        ("reports/evaluate/sft/metrics.json", '"value": 0.6666666666666666', '"value": 0.6766666666666666'),
        ("reports/evaluate/sft/metrics.json", '"value": 0.6666666666666666', '"value": 0.9666666666666666'),
        ("reports/evaluate/sft/greedy.jsonl", '"text": "right"', '"text": "tight"'),
    ],
)
def test_a_result_changed_and_committed_with_all_its_hashes(
    repository: Repository, clones: dict[str, Path], tmp_path: Path, path: str, old: str, new: str, processor: str
) -> None:
    """Lock, cache, manifest and README agree with the forged file: only running the graph tells."""
    if processor == "lucky" and (path, new[:8]) == ("reports/evaluate/sft/greedy.jsonl", '"text": '):
        pytest.skip("one other answer of 60 is what another training gives")
    file = repository.root / path
    text = file.read_text()
    assert old in text
    file.unlink()  # a link into the cache, perhaps
    file.write_text(text.replace(old, new, 1))
    repository.run("dvc", "commit", "-f", "-q")
    repository.proofline("manifest")
    repository.commit("forged")
    assert "agree" in check_committed(read_commit(repository.root))
    found = judged(repository, clones[processor], tmp_path)
    assert str(found.rank) == "different"
    named = [out for out, one in found.verdicts.items() if str(one.rank) == "different"]
    assert path in named or any(path.rpartition("/")[0] in fault for fault in found.faults)


def swap_weights(file: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    content = save({"w": np.full(8, 9, dtype=np.float32)})
    file.chmod(0o644)
    file.unlink()
    file.write_bytes(content)


def test_a_model_swapped_in_the_working_tree(made: Statement, repository: Repository) -> None:
    swap_weights(repository.root / "models/sft/model.safetensors")
    assert any(
        "models/sft/model.safetensors in the working tree" in fault for fault in checked(made, repository).faults
    )


def test_a_model_swapped_in_the_cache(repository: Repository, clones: dict[str, Path], tmp_path: Path) -> None:
    listing = json.loads((repository.root / "dvc.decisions.json").read_text())["files"]
    md5 = listing["models/sft/model.safetensors"]["md5"]
    swap_weights(repository.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:])
    found = judged(repository, clones["same"], tmp_path)
    assert any(f"the cache holds under {md5} a file whose md5 is" in fault for fault in found.faults)


def test_a_model_swapped_in_the_registry(repository: Repository, tmp_path: Path) -> None:
    register(repository, "sft")
    certificate = tmp_path / "certificate.json"
    done = repository.proofline("certify", "--output", str(certificate))
    assert "attached to proofline-sft version 1" in done.stdout
    held = next(repository.root.glob("mlartifacts/**/model.safetensors"))
    honest = repository.proofline("certify", "--verify", str(certificate))
    assert "1 registered versions claim certified weights" in honest.stdout
    marked = version(repository, "sft")
    assert "identical" in marked.tags["proofline.certificate"]
    assert marked.tags["proofline.certificate_run"] in done.stdout
    swap_weights(held)
    for arguments in (("--verify", str(certificate)), ()):
        done = repository.proofline("certify", *arguments, check=False)
        assert done.returncode == 1
        assert "models:/proofline-sft/1 holds weights" in done.stderr


def register(repository: Repository, policy: str) -> None:
    """As `registry register` stores a version: its weights' hash as a tag, the files below `model/`."""
    program = f"""
from pathlib import Path
from proofline.registry.register import open_registry
from proofline.storage.weights import weights_hash
client, experiment = open_registry()
tags = {{"proofline.weights": weights_hash("models/{policy}")}}
model = client.create_logged_model(experiment, "proofline-{policy}", None, tags)
client.log_model_artifacts(model.model_id, "models/{policy}", "model")
client.finalize_logged_model(model.model_id, "READY")
client.create_registered_model("proofline-{policy}")
source = client.get_logged_model(model.model_id).artifact_location
client.create_model_version("proofline-{policy}", source, None, tags, model_id=model.model_id)
"""
    repository.run(sys.executable, "-c", program)


def version(repository: Repository, policy: str) -> Any:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{repository.root}/mlflow.db"
    return MlflowClient(uri, registry_uri=uri).get_model_version(f"proofline-{policy}", "1")


def artefact(statement: Statement, path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in statement["predicate"]["artefacts"] if one["path"] == path)
    return found


def _greedy(statement: Statement) -> dict[str, Any]:
    tests = statement["predicate"]["metrics"]["tests"]
    found: dict[str, Any] = next(one for one in tests if one["metric"] == "evaluate@sft.greedy_accuracy")
    return found


SFT = "reports/evaluate/sft/metrics.json"
FORGERIES: dict[str, Callable[[Statement], object]] = {
    "evaluate@sft.greedy_accuracy: committed value": lambda s: _greedy(s).update(committed=0.9),
    "evaluate@sft.greedy_accuracy: reproduced value": lambda s: _greedy(s).update(reproduced=0.9),
    "evaluate@sft.sampled_accuracy: the bound is": lambda s: s["predicate"]["metrics"]["tests"][1].update(bound=0.9),
    f"reproduced values of {SFT}": lambda s: s["predicate"]["reproduced_metrics"][SFT]["overall"].update(problems=9),
    "models/sft is called": lambda s: artefact(s, "models/sft").update(
        {"class": "identical", "reproduced_md5": FORGED}
    ),
    "its verdict is": lambda s: s["predicate"].update(verdict="same decisions"),
    "reports/results.md: dvc.lock says": lambda s: artefact(s, "reports/results.md").update(committed_md5=FORGED),
    "stage train_sft has the identity": lambda s: s["predicate"]["identities"]["train_sft"].update(committed="00"),
    "its recipe is not that": lambda s: s["predicate"]["recipe"]["params"]["params.yaml"].update(seed=8),
    "models/base of stage base is missing": lambda s: s["predicate"]["artefacts"].remove(artefact(s, "models/base")),
    "says nothing of report": lambda s: s["predicate"]["identities"].pop("report"),
    "data/problems/test.jsonl is called equivalent": lambda s: artefact(s, "data/problems/test.jsonl").update(
        {"class": "equivalent", "reproduced_md5": FORGED}
    ),
    "models/sft/model.safetensors is not among its subjects": lambda s: s["subject"].clear(),
    "data/curation.json: dvc.decisions.json says": lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
}


@pytest.mark.parametrize("named", FORGERIES)
def test_a_certificate_that_says_other_than_it_found(made: Statement, repository: Repository, named: str) -> None:
    forged = copy.deepcopy(made)
    FORGERIES[named](forged)
    faults = checked(forged, repository).faults
    assert any(named in fault for fault in faults), faults


def test_a_failed_test_that_is_called_passed(clones: dict[str, Path], repository: Repository) -> None:
    made = json.loads(clones["lucky"].with_suffix(".json").read_text())
    _greedy(made).update(bound=0.001)
    assert any("it says that it passed" in fault for fault in checked(made, repository).faults)


def test_a_certificate_of_another_commit(made: Statement, repository: Repository) -> None:
    repository.edit("stages/run.py", "PROBLEMS = 60", "PROBLEMS = 59")
    repository.run("dvc", "repro", "-q")
    there, here = made["predicate"]["source"]["commit"][:12], repository.commit("fewer problems")[:12]
    (fault,) = checked(made, repository).faults
    assert there in fault
    assert here in fault
    assert "another dvc.lock" in fault


def test_a_later_commit_with_the_same_lock_is_covered(made: Statement, repository: Repository) -> None:
    """The certificate itself is committed after what it is about."""
    (repository.root / "docs").mkdir(exist_ok=True)
    (repository.root / "docs/certificate.json").write_text(json.dumps(made))
    repository.proofline("readme")
    repository.commit("the certificate")
    findings = checked(made, repository)
    assert findings.faults == []
    assert any("byte for byte" in note for note in findings.notes)
    assert "agree" in check_committed(read_commit(repository.root))
    repository.edit("README.md", f"**{made['predicate']['verdict']}**", "**identical, and more**")
    repository.commit("boast")
    with pytest.raises(CommittedError, match=r"what it says of docs/certificate\.json"):
        check_committed(read_commit(repository.root))


def test_code_that_was_changed_after_the_reproduction(made: Statement, repository: Repository) -> None:
    repository.edit("stages/run.py", "PROBLEMS = 60", "PROBLEMS = 59")
    repository.commit("not reproduced")
    assert any("stages/run.py" in fault for fault in checked(made, repository).faults)


@pytest.mark.parametrize("change", [{"_type": "x"}, {"predicateType": "urn:other"}, {"predicate": {}}, {"subject": 5}])
def test_what_is_no_certificate(made: Statement, repository: Repository, change: dict[str, Any]) -> None:
    with pytest.raises(CertificateError):
        checked(made | change, repository)


@pytest.mark.parametrize("algorithm", [["ed25519"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]])
def test_signatures(made: Statement, tmp_path: Path, algorithm: list[str]) -> None:
    keys = {}
    for name in ("ours", "theirs"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        command = ["openssl", "genpkey", "-algorithm", *algorithm, "-out", private]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        keys[name] = public
    envelope = sign(made, private_key(tmp_path / "ours.pem"))
    assert opened(envelope, keys["ours"]) == made
    with pytest.raises(SignatureError, match=r"not signed with .*theirs.pub"):
        opened(envelope, keys["theirs"])
    changed = copy.deepcopy(made)
    changed["predicate"]["verdict"] = "identical!"
    forged = envelope | {"payload": base64.b64encode(json.dumps(changed).encode()).decode()}
    with pytest.raises(SignatureError, match="it was changed after"):
        opened(forged, keys["ours"])
    with pytest.raises(SignatureError, match="cut or changed"):
        opened(envelope | {"payload": envelope["payload"][:-7]}, keys["ours"])
    with pytest.raises(SignatureError, match="it was changed after"):
        opened(envelope | {"payloadType": "text/plain"}, keys["ours"])


def test_an_unsigned_certificate_where_a_signature_is_asked_for(
    clones: dict[str, Path], repository: Repository
) -> None:
    shutil.copy(clones["identical"].with_suffix(".json"), repository.root / "certificate.json")
    done = repository.proofline("certify", "--verify", "certificate.json", "--key", "README.md", check=False)
    assert done.returncode == 1
    assert "certificate.json is not signed" in done.stderr


def test_a_readme_of_other_results(repository: Repository) -> None:
    repository.edit("README.md", "- sft: 66.7", "- sft: 67.7")
    repository.commit("boast")
    with pytest.raises(CommittedError, match=r"README.md: its results are not those of reports/results.md in dvc.lock"):
        check_readme(repository.root)
    repository.run("git", "checkout", "-q", "HEAD^", "--", "README.md")
    (repository.root / "docs/images/accuracy.png").write_bytes(b"nicer")
    repository.commit("a nicer picture")
    with pytest.raises(CommittedError, match=r"docs/images/accuracy.png: not the picture"):
        check_readme(repository.root)


def test_results_lying_around_change_nothing(repository: Repository) -> None:
    """What a user's processor or recipe made of the workspace is no fault of the commit."""
    repository.run("dvc", "repro", "-q", "-f", ROUNDING="1e-6", LUCK="3,4,5")
    repository.edit("params.yaml", "seed: 7", "seed: 8")
    assert "agree" in check_committed(read_commit(repository.root))
    check_readme(repository.root)
    shutil.rmtree(repository.root / "reports")
    check_readme(repository.root)
