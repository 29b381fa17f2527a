"""`proofline certify` on a real repository: the four classes, what gets into the clone, where the certificate goes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from small_graph import LUCKY, Repository

from proofline.certificate.assess import Assessment, assess
from proofline.certificate.commit import read_commit
from proofline.certificate.show import as_markdown, as_text
from proofline.certificate.stored import open_store

pytestmark = pytest.mark.slow(minutes=2)


def statement(clone: Path) -> dict[str, Any]:
    return json.loads(clone.with_suffix(".json").read_text())


def classes(statement: dict[str, Any]) -> dict[str, str]:
    return {one["path"]: one["class"] for one in statement["predicate"]["artefacts"]}


def judged(repository: Repository, clone: Path, scratch: Path) -> Assessment:
    """As `certify` does when the graph has run."""
    return assess(read_commit(repository.root), clone, open_store(repository.root, scratch))


def test_the_same_bits_are_identical(clones: dict[str, Path]) -> None:
    made = statement(clones["identical"])
    assert made["predicate"]["verdict"] == "identical"
    assert set(classes(made).values()) == {"identical"}
    assert made["predicate"]["environment"]["differences"] == []
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert all(len(one["digest"]["sha256"]) == 64 for one in made["subject"])
    assert {"models/sft/model.safetensors", "reports/plots/accuracy.png"} <= {one["name"] for one in made["subject"]}


def test_other_weights_with_the_same_answers_are_the_same_decisions(clones: dict[str, Path]) -> None:
    found = classes(statement(clones["same"]))
    assert found["models/sft"] == found["reports/evaluate/sft/greedy.jsonl"] == "same decisions"
    assert found["reports/plots"] == "same decisions", "a picture of the same decisions"
    assert found["models/base"] == found["reports/evaluate/base/greedy.jsonl"] == "identical"
    assert 0 < statement(clones["same"])["predicate"]["weight_distances"]["models/sft/model.safetensors"] < 1e-5


def test_another_training_within_its_spread_is_equivalent(clones: dict[str, Path]) -> None:
    made = statement(clones["lucky"])
    assert made["predicate"]["verdict"] == "equivalent"
    assert Counter(classes(made).values()) == {"identical": 6, "equivalent": 7}
    tests = {test["metric"]: test for test in made["predicate"]["metrics"]["tests"]}
    greedy = tests["evaluate@sft.greedy_accuracy"]
    assert (greedy["method"], greedy["committed"], greedy["reproduced"]) == ("paired problems", 2 / 3, 39 / 60)
    assert greedy["detectable"] > greedy["bound"] > 0
    assert not any(name.startswith("evaluate@base") for name in tests), "no training moves the base's metrics"


def test_other_answers_of_the_same_weights_are_different(clones: dict[str, Path]) -> None:
    made = statement(clones["broken"])
    assert made["predicate"]["verdict"] == "different"
    rows = next(one for one in made["predicate"]["artefacts"] if one["path"] == "reports/evaluate/sft/greedy.jsonl")
    assert (
        rows["reason"]
        == "greedy.jsonl: 3 of 60 rows differ, the first in line 4; nothing that evaluate@sft reads differs"
    )


def test_the_exit_status_says_it(reproduced: Repository, repository: Repository) -> None:
    done = repository.proofline("certify", "--stages", "evaluate@sft", check=False, LUCK="1")
    assert done.returncode == 1
    assert "proofline: HEAD did not come out again" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spread_over_reruns_replaces_the_paired_test(
    repository: Repository, clones: dict[str, Path], tmp_path: Path
) -> None:
    recipe = statement(clones["lucky"])["predicate"]["recipe"]["id"]
    names = [test["metric"] for test in statement(clones["lucky"])["predicate"]["metrics"]["tests"]]
    file = repository.root / "benchmarks/results/reruns.json"
    file.parent.mkdir(parents=True)

    def judge_with(values: list[float], recipe: str) -> Assessment:
        runs = [{"name": str(value), "metrics": dict.fromkeys(names, value)} for value in values]
        file.write_text(json.dumps({"recipe": recipe, "runs": runs}))
        repository.commit("reruns")
        return judged(repository, clones["lucky"], tmp_path)

    wide = judge_with([0.62, 0.64, 0.66, 0.7], recipe)
    assert {(test.method, test.runs) for test in wide.tests} == {("reruns", 4)}
    assert str(wide.rank) == "equivalent"
    narrow = judge_with([0.6664, 0.6665, 0.6666, 0.6668], recipe)
    assert str(narrow.rank) == "different"
    assert "beyond two trainings" in narrow.verdicts["reports/evaluate/sft/metrics.json"].reason
    assert {test.method for test in judge_with([0.6664] * 4, "another").tests} <= {
        "paired problems",
        "published intervals",
    }


@pytest.mark.parametrize("left", ["cache", "remote", "manifest", "nothing"])
def test_the_committed_side_comes_from_where_it_still_is(
    repository: Repository, clones: dict[str, Path], tmp_path: Path, left: str
) -> None:
    if left == "remote":
        repository.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "remote"))
        repository.run("dvc", "push", "-q")
    if left != "cache":
        repository.run("rm", "-rf", ".dvc/cache", "data", "models", "reports")
    if left == "nothing":
        repository.run("git", "rm", "-q", "dvc.decisions.json")
    repository.commit("moved")
    found = judged(repository, clones["lucky"], tmp_path / "fetched")
    assert found.committed["reports/evaluate/sft/greedy.jsonl"].source == ("nowhere" if left == "nothing" else left)
    assert str(found.rank) == ("different" if left == "nothing" else "equivalent")
    if left == "nothing":
        reason = found.verdicts["reports/evaluate/sft/greedy.jsonl"].reason
        assert "neither the cache, nor a remote, nor dvc.decisions.json has" in reason
        assert str(found.verdicts["models/base"].rank) == "identical", "the same md5 needs nobody"
    assert ("models/sft/model.safetensors" in found.distances) == (left in ("cache", "remote"))


def test_nothing_of_the_users_gets_into_the_clone(repository: Repository, tmp_path: Path) -> None:
    """Not the working tree, not the cache, not the store, not what DVC has set; only how stages are executed."""
    (repository.root / "stages/run.py").write_text("raise SystemExit('not committed')")
    (repository.root / ".execution.yaml").write_text("threads: 1\ngrader_deadline_seconds: 99\n")
    keep = tmp_path / "kept"
    inherited = {"DVC_ROOT": "/nowhere", "DVC_STAGE": "train_sft", "GIT_DIR": "/nowhere", "PYTHONPATH": ""}
    repository.proofline("certify", "--stages", "evaluate@base", "--keep", str(keep))
    from proofline.certificate.reproduce import environment_of

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**inherited, "PROOFLINE_TRACKING_URI": "http://elsewhere", "ROUNDING": "1"}.items():
            patch.setenv(name, value)
        seen = environment_of(repository.root, keep)
    assert not {"DVC_ROOT", "DVC_STAGE", "GIT_DIR"} & set(seen)
    assert seen["PROOFLINE_TRACKING_URI"] == f"sqlite:///{keep}/mlflow.db"
    assert seen["PYTHONPATH"] == f"{keep}/src"
    assert seen["PROOFLINE_DATA_ROOT"] == str(repository.root / "data/raw")
    assert (seen["PROOFLINE_THREADS"], seen["PROOFLINE_GRADER_DEADLINE_SECONDS"]) == ("1", "99.0")
    assert seen["ROUNDING"] == "1", "limits of the processor are the user's"
    assert (keep / ".dvc/cache").is_dir()
    assert not (keep / "reports/results.md").exists(), "only the stages that were named, and what they need"


def test_it_is_logged_with_the_certificate_as_artifact(run_again: Repository, clones: dict[str, Path]) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run_again.root}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("proofline").experiment_id])
    assert Counter(run.data.tags["proofline.verdict"] for run in runs) == {
        "identical": 1, "same decisions": 1, "equivalent": 1, "different": 1
    }  # fmt: skip
    lucky = next(run for run in runs if run.data.tags["proofline.verdict"] == "equivalent")
    assert lucky.data.metrics["evaluate_sft.greedy_accuracy".replace("_sft", "_at_sft")] == 39 / 60
    kept = json.loads(Path(client.download_artifacts(lucky.info.run_id, "certificate.json")).read_text())
    assert kept == statement(clones["lucky"])


def test_a_table_and_its_markdown(reproduced: Repository, clones: dict[str, Path]) -> None:
    shown = reproduced.proofline("certify", "--show", str(clones["lucky"]) + ".json").stdout
    made = statement(clones["lucky"])
    assert shown.strip() == as_text(made).strip()
    assert all(one["path"] in shown for one in made["predicate"]["artefacts"])
    markdown = as_markdown(made)
    assert "**equivalent**" in markdown
    widths = [{line.count(" |") for line in part.splitlines()} for part in markdown.split("\n\n") if part[0] == "|"]
    assert all(len(one) == 1 for one in widths)


def test_mistakes_are_told_before_anything_runs(reproduced: Repository, tmp_path: Path) -> None:
    for arguments, expected in (
        (("certify", "no-such-branch"), "no commit 'no-such-branch'"),
        (("certify", "--stages", "trian"), "has no stage 'trian'; there are: "),
        (("certify", "--stages", "eval"), "has no stage 'eval'"),
        (("certify", "--key", "README.md"), "README.md is no private key"),
        (("certify", "--keep", "stages"), "stages is not empty"),
    ):
        done = reproduced.proofline(*arguments, check=False)
        assert done.returncode == 1
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
        assert "Running stage" not in done.stdout


def test_ending_it_ends_the_graph_and_leaves_nothing(reproduced: Repository, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    command = [sys.executable, "-m", "proofline.cli", "certify"]
    variables = reproduced.variables(WAIT=str(waiting), TMPDIR=str(tmp_path))
    process = subprocess.Popen(command, cwd=reproduced.root, env=variables, stdout=subprocess.DEVNULL)
    while not waiting.exists() or " " not in waiting.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    stage, _, folder = waiting.read_text().partition(" ")
    process.terminate()
    assert process.wait() == 128 + 15
    while psutil.pid_exists(int(stage)) and psutil.Process(int(stage)).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert not Path(folder).exists()


def test_a_graph_that_does_not_run_is_said_to_be_so(repository: Repository) -> None:
    repository.edit("stages/run.py", "import hashlib", "raise SystemExit('no disk')\nimport hashlib")
    repository.commit("broken")
    done = repository.proofline("certify", check=False)
    assert done.returncode == 1
    assert "did not run" in done.stderr or "does not run here" in done.stderr


def test_an_envelope_that_others_can_check(reproduced: Repository, tmp_path: Path) -> None:
    """Signed on the way; `openssl` alone finds the signature good over DSSE's encoding."""
    key, public, output = (tmp_path / name for name in ("key.pem", "public.pem", "signed.json"))
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    made = ("certify", "--stages", "evaluate@base", "--key", str(key), "--output", str(output))
    reproduced.proofline(*made, **LUCKY)
    done = reproduced.proofline("certify", "--verify", str(output), "--key", str(public))
    assert f"signed with {public}" in done.stdout
    assert "stages evaluate@base: identical" in done.stdout
    envelope = json.loads(output.read_text())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed, signature = tmp_path / "signed.bin", tmp_path / "signature.bin"
    signed.write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", signed]
    assert subprocess.run([*command, "-sigfile", signature], capture_output=True).returncode == 0
