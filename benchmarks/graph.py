"""Seconds of every stage, alone and beside a process that keeps one core busy, in turns in one run.

    python benchmarks/graph.py [--stages NAME ...] [--rounds 1]

Takes the commands and results of the committed dvc.lock from this checkout's cache (`dvc repro` or `dvc pull` first)
into a clone and runs one stage after the other there, tracking included, DVC itself not. `kept` is what remains of a
stage's speed beside the busy process; the issue asks for a half. `proofline check` scales the seconds alone by the
processor's probe and by the recipe (src/proofline/launch/estimate.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from report import RESULTS, table, write_result

from proofline.config import load_environment, load_params
from proofline.config.load import read_yaml
from proofline.config.processor import instruction_sets
from proofline.launch.estimate import work
from proofline.launch.instructions import settle
from proofline.launch.probe import gflops

ROOT = Path(__file__).parents[1]


def make_clone(folder: Path) -> Path:
    """The committed checkout with its results, from this one's cache."""
    clone = folder / "clone"
    for command, place in [
        (["git", "clone", "--quiet", str(ROOT), str(clone)], folder),
        (["dvc", "cache", "dir", "--quiet", "--local", str(ROOT / ".dvc/cache")], clone),
        (["dvc", "checkout", "--quiet"], clone),
    ]:
        subprocess.run(command, cwd=place, env=variables(), check=True)
    return clone


def variables() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def seconds(command: str, clone: Path) -> float:
    """Wall time of one stage; its output is shown only where it fails."""
    began = time.perf_counter()
    done = subprocess.run(shlex.split(command), cwd=clone, env=variables(), text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - began


@contextmanager
def busy_core(busy: bool) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def measure(stages: Mapping[str, str], clone: Path, rounds: int) -> dict[str, dict[str, float]]:
    measured = {}
    for name, command in stages.items():
        taken: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for busy in (False, True):
                with busy_core(busy):
                    taken[busy].append(seconds(command, clone))
        alone, beside = statistics.median(taken[False]), statistics.median(taken[True])
        measured[name] = {"alone_s": round(alone, 2), "busy_s": round(beside, 2), "kept": round(alone / beside, 3)}
        print(f"{name}: {alone:.1f} s alone, {beside:.1f} s busy", flush=True)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stages", nargs="+", metavar="NAME", help="default: all; the others keep their figures")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    settle(load_environment())
    fp32 = gflops("fp32")
    with TemporaryDirectory(prefix="proofline-graph-") as folder:
        clone = make_clone(Path(folder))
        locked: dict[str, Any] = read_yaml(clone / "dvc.lock")["stages"]
        names = options.stages or list(locked)
        params = load_params(clone / "params.yaml")
        measured = measure({name: locked[name]["cmd"] for name in names}, clone, options.rounds)
    rows = [
        [name, f"{row['alone_s']:.1f}", f"{row['busy_s']:.1f}", f"{100 * row['kept']:.0f}%"]
        for name, row in measured.items()
    ]
    print(table(["stage", "alone, s", "busy, s", "speed kept"], rows))
    print(f"sum: {sum(row['alone_s'] for row in measured.values()):.0f} s alone")
    if options.stages:
        measured = json.loads((RESULTS / "graph.json").read_text(encoding="utf-8"))["stages"] | measured
    settings = {"rounds": options.rounds, "instruction_sets": list(instruction_sets())}
    packages = ["torch", "transformers", "trl", "accelerate", "mlflow"]
    write_result("graph", settings, packages, fp32_gflops=round(fp32, 1), work=work(params), stages=measured)


if __name__ == "__main__":
    main()
