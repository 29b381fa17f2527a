"""An invented experiment with the real graph's shape, whose stages take no time: problems, a base, a training, two
evaluations, a report. Real git, DVC and MLflow; weights are a few numbers.

The processor is a variable: `ROUNDING` shifts the trained weights in their last digits and the measured values with
them; `LUCK` names problems whose answer the trained policy then gives otherwise, as another training would. `SERVER` is
who drew the solutions, in place of the stage itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import forked

SAME = {"ROUNDING": "1e-6"}
"""Other weights, the same answers."""
LUCKY = {"ROUNDING": "1e-6", "LUCK": "3,4,5"}
"""Another training."""
STAGE = """
import hashlib, json, os, sys, time
from pathlib import Path

PROBLEMS = 60
rounding = float(os.environ.get("ROUNDING", "0"))
luck = set(map(int, filter(None, os.environ.get("LUCK", "").split(","))))
stage, policy = sys.argv[1], (sys.argv[2:] or [None])[0]
if "WAIT" in os.environ:
    Path(os.environ["WAIT"]).write_text(f"{os.getpid()} {Path.cwd()}")
    time.sleep(600)

def rows(path, records):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(json.dumps(one) + "\\n" for one in records))

def write(path, values):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\\n")

def model(folder, scale):
    import numpy as np
    from safetensors.numpy import save_file
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file({"w": np.arange(8, dtype=np.float32) * np.float32(scale)}, folder + "/model.safetensors")
    Path(folder, "config.json").write_text("{}")

def name(file):
    digest = hashlib.sha256(b"model.safetensors\\0" + hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()[:16]

if stage == "prepare":
    rows("data/problems/test.jsonl", [
        {"id": f"synthetic-{i}", "source": "synthetic", "family": "word", "split": "test", "question": f"{i} + 1?",
         "solution": f"#### {i + 1}", "answer": str(i + 1), "level": 1, "skeleton": str(i)} for i in range(PROBLEMS)])
    write("data/curation.json", {"kept": PROBLEMS, "share": 1.0})
if stage == "base":
    model("models/base", 1.0)
if stage == "train":
    model("models/sft", 2.0 + rounding)
if stage == "evaluate":
    weights, shift = name(f"models/{policy}/model.safetensors"), rounding if policy == "sft" else 0.0
    right = [i % 3 > 0 if policy == "sft" else i % 3 == 0 for i in range(PROBLEMS)]
    right = [one != (policy == "sft" and i in luck) for i, one in enumerate(right)]
    folder = f"reports/evaluate/{policy}"
    rows(f"{folder}/greedy.jsonl", [
        {"id": f"{weights}-{i}", "problem_id": f"synthetic-{i}", "policy": policy, "weights": weights,
         "decoding": {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 8}, "sample_index": 0, "seed": i,
         "text": "right" if one else "wrong", "num_tokens": 3, "logprob": -1.5 - i + shift / 10, "finished": True,
         "server": os.environ.get("SERVER", ""), "examples": []}
        for i, one in enumerate(right)])
    rows(f"{folder}/greedy_grades.jsonl", [
        {"solution_id": f"{weights}-{i}", "problem_id": f"synthetic-{i}", "verdict": "correct" if one else "wrong",
         "extracted": str(i), "reason": "as invented", "grader": "none", "undecided": None, "second_verdict": None,
         "second_reason": "", "second_grader": ""} for i, one in enumerate(right)])
    share = sum(right) / PROBLEMS
    accuracy = {"value": share, "low": share - 0.12, "high": share + 0.12}
    write(f"{folder}/metrics.json", {
        "policy": policy, "weights": weights, "num_samples": 4, "confidence": 0.95, "mean_tokens": 3.0,
        "overall": {"problems": PROBLEMS, "greedy_accuracy": accuracy, "sampled_accuracy": accuracy,
                    "pass_at_k": {"4": accuracy}, "majority_at_k": {"4": accuracy}}})
if stage == "report":
    found = {one: json.loads(Path(f"reports/evaluate/{one}/metrics.json").read_text()) for one in ("base", "sft")}
    write("reports/metrics.json", {one: found[one]["overall"]["greedy_accuracy"] for one in found})
    lines = [f"- {one}: {100 * found[one]['overall']['greedy_accuracy']['value']:.1f}" for one in found]
    text = "\\n".join(["# Results", "", *lines, "", "## Policies", "", "![Accuracy](plots/accuracy.png)"])
    Path("reports/results.md").write_text(text + "\\n")
    Path("reports/plots").mkdir(parents=True)
    Path("reports/plots/accuracy.png").write_bytes(b"\\x89PNG" + json.dumps(found).encode())
"""
GRAPH = """
stages:
  prepare:
    cmd: python stages/run.py prepare
    params: [seed]
    deps: [stages/run.py]
    outs: [data/problems/test.jsonl, data/curation.json]
  base:
    cmd: python stages/run.py base
    params: [seed]
    deps: [stages/run.py]
    outs: [models/base]
  train_sft:
    cmd: python stages/run.py train
    params: [seed, sft]
    deps: [stages/run.py, models/base, data/problems/test.jsonl]
    outs: [models/sft]
  evaluate:
    foreach: [base, sft]
    do:
      cmd: python stages/run.py evaluate ${item}
      params: [seed]
      deps: [stages/run.py, "models/${item}", data/problems/test.jsonl]
      outs:
        - "reports/evaluate/${item}/greedy.jsonl"
        - "reports/evaluate/${item}/greedy_grades.jsonl"
        - "reports/evaluate/${item}/metrics.json"
  report:
    cmd: python stages/run.py report
    deps: [stages/run.py, reports/evaluate]
    outs: [reports/results.md, reports/metrics.json, reports/plots]
"""
README = """# An experiment

<!-- results:begin -->
<!-- results:end -->

<!-- certificate:begin -->
<!-- certificate:end -->
"""
IGNORED = (
    "/data/\n/models/\n/reports/\n/mlflow.db*\n/mlartifacts/\n/.tracking/\n/.dvc/tmp/\n/.dvc/cache/\n/certificate*\n"
)


@dataclass(frozen=True)
class Repository:
    """A repository and what a person would type in it."""

    root: Path

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = self.variables(**variables)
        if command[0] == "dvc":
            done = forked.dvc(command[1:], self.root, environment)
        else:
            done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    @staticmethod
    def variables(**variables: str) -> dict[str, str]:
        """This process's, without what DVC, MLflow, git or a user set."""
        dropped = ("DVC_", "PROOFLINE_", "MLFLOW_", "GIT_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        return kept | {"DVC_NO_ANALYTICS": "1"} | variables

    def proofline(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        done = forked.command(arguments, self.root, self.variables(**variables))
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def commit(self, message: str) -> str:
        self.run("git", "add", "-A")
        self.run(
            "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", message
        )
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the first occurrence, as somebody with an editor would."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} does not hold {old!r}"
        file.write_text(text.replace(old, new, 1))

    def md5_in_lock(self, out: str) -> str:
        lines = (self.root / "dvc.lock").read_text().splitlines()
        found = [lines[i + 2] for i, line in enumerate(lines) if line.strip() == f"- path: {out}"]
        return found[-1].split()[-1]


def make_repository(root: Path) -> Repository:
    """Reproduced once, manifest and README written, all committed."""
    repository = Repository(root)
    (root / "stages").mkdir(parents=True)
    (root / "stages/run.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "params.yaml").write_text("seed: 7\nsft:\n  rate: 1e-5\n")
    (root / "README.md").write_text(README)
    (root / ".gitignore").write_text(IGNORED)
    repository.run("git", "init", "-q")
    repository.run("dvc", "init", "-q")
    repository.run("dvc", "config", "core.analytics", "false")
    repository.commit("start")
    repository.run("dvc", "repro", "-q")
    repository.proofline("manifest")
    repository.proofline("readme")
    repository.commit("results")
    return repository
