"""What happens to metrics: an MLflow server that is down for a while, and many stages in one SQLite store.

`lost`: a metric that the store does not have. `undetected`: one that it has twice.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Literal

from faults_counted import Count, Fault
from live_repository import clean_environment, stored_runs
from live_server import Server, Stage

STEPS, STAGES = 8, 16
STEP = "for step in range(1, {steps} + 1):\n    run.log_metrics({{'loss': 1 / step}}, step=step)\n"
When = Literal["start", "while", "end"]


def logged(uri: str, run: Any, count: Count) -> None:
    """Every step once."""
    from mlflow.tracking import MlflowClient

    points = [point.step for point in MlflowClient(uri).get_metric_history(run.info.run_id, "loss")]
    steps = Counter(points)
    count.lost += run.info.status != "FINISHED" or any(not steps[step] for step in range(1, STEPS + 1))
    count.undetected += any(number > 1 for number in steps.values())


def server_down(root: Path, source: random.Random, count: Count, when: When) -> None:
    """A stage of a few steps; the server is away before it begins, between two of them, or when it ends."""
    folder = root / str(count.runs)
    (folder / "server").mkdir(parents=True)
    down, up = sorted(source.sample(range(1, STEPS + 1), 2))
    server = Server(folder / "server")
    try:
        if when == "start":
            server.kill()
        stage = Stage(folder, server.uri, STEP.format(steps=STEPS) + "    pause()")
        for step in range(1, STEPS + 1):
            stage.wait_for_pause()
            if when != "start" and step == down:
                server.kill()
            if when != "end" and step == up:
                server.start()
            stage.resume()
        status, _ = stage.end()
        if when == "end":
            server.start()
            spools = [str(path) for path in (folder / ".tracking").glob("*.jsonl")]
            command = [sys.executable, "-m", "proofline.tracking.recorder", *spools]
            subprocess.run(command, env=clean_environment(), check=True, capture_output=True)
        count.runs += 1
        runs = stored_runs(server.uri)
        count.lost += status != 0 or len(runs) != 1
        for run in runs:
            logged(server.uri, run, count)
    finally:
        server.kill()


def one_store(root: Path, source: random.Random, count: Count) -> None:
    """Stages that begin at once and log to one database, which the first of them makes."""
    folder = root / str(count.runs)
    uri = f"sqlite:///{folder}/mlflow.db"
    stages = []
    for number in range(STAGES):  # two of one stage in one folder would wait for each other
        (folder / str(number)).mkdir(parents=True)
        stages.append(Stage(folder / str(number), uri, STEP.format(steps=STEPS)))
    ends = [stage.end()[0] for stage in stages]
    count.runs += 1
    runs = stored_runs(uri)
    count.lost += len(runs) != STAGES or any(ends)
    for run in runs:
        logged(uri, run, count)


FAULTS = {
    "MLflow: no server at the start": Fault(partial(server_down, when="start"), of=40),
    "MLflow: no server for a while": Fault(partial(server_down, when="while"), of=40),
    "MLflow: no server from the middle to the end": Fault(partial(server_down, when="end"), of=40),
    f"MLflow: {STAGES} stages, one new SQLite store": Fault(one_store, of=100),
}
