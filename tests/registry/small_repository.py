"""A repository as a person has it, with the registry's real commands in processes of their own, on real stores.

Its graph trains `dpo` and `genrm` within a second (the tiny policy, shifted; `dpo` by the seed too, so that another
seed trains one of them), evaluates them with known effects and writes cards; runs, versions, experiments, caches and
remotes are DVC's and MLflow's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
from checkout import EMBEDDED
from shared import empty_database

from proofline.tracking.relocate import follow_artifacts

REPOSITORY = Path(__file__).parents[2]

TRAIN = """
import shutil, sys
from pathlib import Path
from proofline.config.collector import collect_seldom
collect_seldom()
from safetensors.numpy import load_file, save_file
from proofline.config import load_params
from proofline.registry import register
from proofline.tracking import track

policy, params = sys.argv[1], load_params()
folder, seed = Path("models", policy), params.seed if policy == "dpo" else 0
sections = {"seed": seed, policy: getattr(params, policy), "prompts": params.prompts}
with track(f"train_{policy}", sections=sections) as run:
    shutil.copytree("tiny", folder)
    shift = seed / 100 + getattr(params, policy).learning_rate
    weights = {name: tensor + shift for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    register(folder, policy=policy, metrics={"loss": 0.5}, run=run)
"""
REPORT = """
import json
from pathlib import Path
from proofline.config import load_params
from proofline.evaluation.baselines import CHEAP
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import paired_json
from proofline.registry.describe import describe_versions
from proofline.storage.artifacts import write_json, write_text
from proofline.storage.weights import weights_hash

def won(wins, losses):
    alone = Clusters([str(number) for number in range(100)], 0.95, resamples=1, seed=0)
    ours = [float(number < wins) for number in range(100)]
    return paired_json(alone.compare(ours, [float(number >= 100 - losses) for number in range(100)]))

params, reports = load_params(), Path("reports")
policies = {}
for policy, solved in {"base": 40, "dpo": 60 + params.seed, "genrm": 62}.items():
    weights = weights_hash("tiny" if policy == "base" else f"models/{policy}")
    write_json(reports / "evaluate" / policy / "metrics.json", {"weights": weights, "confidence": 0.95})
    card = f"---\\nlicense: apache-2.0\\n---\\n\\n# proofline-{policy}\\n\\n| weights | `{weights}` |\\n"
    write_text(reports / "cards" / f"{policy}.md", card)
    policies[policy] = {
        "weights": weights,
        "accuracy": {"value": solved / 100, "low": 0.0, "high": 1.0},
        "pass_at_8": 0.9,
        "over_base": won(solved - 40, 0),
    }
auroc = {"value": 0.8, "low": 0.7, "high": 0.9}
over = won(20, 2)
rival = {"auroc_within_layout": over, "best_of": over}
baseline = {"auroc_within_layout": auroc, "best_of": auroc, "genrm_over": rival}
write_json(reports / "verify" / "metrics.json", {
    "weights": policies["genrm"]["weights"], "policy": "dpo", "num_samples": 8, "confidence": 0.95,
    "overall": {
        "matched_problems": 50, "matched_clusters": 50, "auroc_within_layout": auroc, "equal_compute": [],
        "gains": {"best_of_over_one": over, "best_of_over_majority": over},
        "baselines": {name: baseline for name in (*CHEAP, "program")},
    },
})
write_json(reports / "metrics.json", {"policies": policies, "verifier": {"auroc_within_layout": auroc}})
describe_versions(reports)
"""
GRAPH = """
stages:
  train_dpo:
    cmd: python train.py dpo
    params: [seed, dpo, prompts]
    deps: [train.py, tiny]
    outs: [models/dpo]
  train_genrm:
    cmd: python train.py genrm
    params: [genrm, prompts]
    deps: [train.py, tiny]
    outs: [models/genrm]
  report:
    cmd: python report.py
    params: [seed]
    deps: [report.py, models/dpo, models/genrm]
    outs:
      - reports/evaluate/base/metrics.json
      - reports/evaluate/dpo/metrics.json
      - reports/evaluate/genrm/metrics.json
      - reports/verify/metrics.json
      - reports/metrics.json
      - reports/cards
"""
IGNORED = "/.tracking/\n/mlflow.db\n/mlartifacts/\n/models/\n/reports/\n"
Done = subprocess.CompletedProcess[str]


@dataclass
class SmallRepository:
    """Its folder, and the variables its person has set."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return self.variables.get("PROOFLINE_TRACKING_URI", f"sqlite:///{self.root}/mlflow.db")

    def start(self, *command: str, folder: str = ".") -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=self.root / folder, env=clean_environment(self.root, **self.variables), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *command: str, folder: str = ".", check: bool = True) -> Done:
        if command[0] == "proofline":
            environment = clean_environment(self.root, **self.variables)
            done = forked.command(command[1:], self.root / folder, environment)
        else:
            process = self.start(*command, folder=folder)
            out, err = process.communicate(timeout=600)
            done = Done(command, process.returncode, out, err)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def registry(self, *command: str, folder: str = ".", check: bool = True) -> Done:
        return self.run("proofline", "registry", *command, folder=folder, check=check)

    def refused(self, *command: str, folder: str = ".") -> str:
        """What the registry says when it does not do it: a sentence, no traceback."""
        done = self.registry(*command, folder=folder, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def client(self) -> Any:
        from proofline.tracking.mlflow_run import quiet_mlflow

        quiet_mlflow()
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.uri, registry_uri=self.uri)

    def version(self, policy: str, alias: str = "candidate") -> Any:
        return self.client().get_model_version_by_alias(f"proofline-{policy}", alias)

    def loads(self, address: str) -> Done:
        """Load a version as a person would, who names the store to MLflow and sits elsewhere."""
        return forked.loads(address, self.root.parent, clean_environment(None, MLFLOW_TRACKING_URI=self.uri))

    def stored_weights(self) -> list[Path]:
        return sorted((self.root / "mlartifacts").rglob("*.safetensors"))


def clean_environment(root: Path | None, **variables: str) -> dict[str, str]:
    """This process's variables without what DVC, MLflow or a user set; with the package's sources for a repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "PROOFLINE_", "MLFLOW_"))}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    if root is not None:
        kept["PYTHONPATH"] = str(REPOSITORY / "src")
    return kept | {"OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"} | variables


def make_repository(root: Path, tiny_policy: Path, **variables: str) -> SmallRepository:
    """The repository, committed, before anything has run in it."""
    root.mkdir(parents=True)
    (root / "train.py").write_text(TRAIN)
    (root / "report.py").write_text(REPORT)
    (root / "dvc.yaml").write_text(GRAPH)
    shutil.copy(EMBEDDED, root / "params.yaml")
    recipe = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(recipe.replace("max_new_tokens: 128", "max_new_tokens: 6"))
    shutil.copytree(tiny_policy, root / "tiny")
    (root / "docs").mkdir()
    (root / "docs" / "page.md").write_text("A subfolder.\n")
    repository = SmallRepository(root, variables)
    repository.run("git", "init", "-q")
    repository.run("git", "config", "user.name", "t")
    repository.run("git", "config", "user.email", "t@localhost")
    repository.run("dvc", "init", "-q")
    (root / ".gitignore").write_text(IGNORED)
    commit(repository, "start")
    return repository


def copied(repository: SmallRepository, folder: Path) -> SmallRepository:
    """A copy of it below `folder`, to be changed."""
    copy = SmallRepository(Path(shutil.copytree(repository.root, folder / "repository", symlinks=True)))
    follow_artifacts(copy.uri, copy.root / "mlartifacts")
    return copy


def commit(repository: SmallRepository, message: str) -> None:
    repository.run("git", "add", ".")
    repository.run("git", "commit", "-qm", message)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: Sequence[str], health: str, folder: Path, **variables: str) -> Iterator[None]:
    """A server in a process group of its own, from when it answers until the block ends."""
    log = folder / "server.log"
    with open(log, "w") as lines:
        server = subprocess.Popen(
            command, cwd=folder, env=clean_environment(None, **variables), stdout=lines, stderr=lines,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(health, lambda: server.poll() is None, log)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """A real tracking server that hands artifacts through; its URI."""
    folder.mkdir()
    port, log, store = free_port(), folder / "server.log", folder / "store.db"
    store.write_bytes(empty_database())
    server = forked.mlflow_server(store, folder / "artifacts", port, clean_environment(None), log)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server.is_alive, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.join()


def wait_for(health: str, alive: Callable[[], bool], log: Path) -> None:
    """Until a server answers there."""
    deadline = time.monotonic() + 300
    while True:
        assert alive(), log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            urllib.request.urlopen(health, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
