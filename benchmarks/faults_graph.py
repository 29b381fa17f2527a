"""`dvc repro` of the whole graph, killed at random moments and started again: the same hashes as an undisturbed run?

    python benchmarks/faults_graph.py [--kills 5] [--profile NAME] [--seed 0] [--minutes M]

Clones the committed checkout, with an empty cache, and begins `dvc repro` there. At each moment the whole process group
gets SIGKILL, and the command is given again; where a file of DVC's is left cut off, its remedy is taken. The hashes of
all outs are then compared with the committed `dvc.lock`, or, for another profile, with a run in a clone of its own that
nobody disturbs. The moments are drawn over the minutes that the graph takes: by `results/graph.json`, by that other
run, or by `--minutes`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faults_counted  # noqa: F401  the tests' helpers
from checkout import clean_variables, tried, typed
from report import RESULTS, write_result

from proofline.config.load import read_yaml
from proofline.storage.dvc_state import RWLOCK, DvcStateError, check_dvc_state

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Kill:
    """One `dvc repro` that was ended, and in what."""

    seconds: float
    """After it was begun."""
    stage: str
    remedy: str | None
    """What had to be done before the next one."""


def out_hashes(root: Path) -> dict[str, str]:
    """md5 of every out, by path, as `dvc.lock` has them."""
    stages: Any = read_yaml(root / "dvc.lock")
    return {out["path"]: out["md5"] for stage in stages["stages"].values() for out in stage["outs"]}


def reproduce(root: Path, stop: Callable[[float], object], **variables: str) -> Kill | None:
    """`dvc repro`, killed as soon as `stop` (of the seconds since it began) says so; None where it came to its end."""
    log = root.parent / f"{root.name}.log"
    with open(log, "w+") as said:
        began = time.monotonic()
        dvc = subprocess.Popen(
            ["dvc", "repro"], cwd=root, env=clean_variables(PYTHONUNBUFFERED="1", **variables),
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        while dvc.poll() is None and not stop(time.monotonic() - began):
            time.sleep(0.02)
        ended = dvc.poll()
        if ended is None:
            os.killpg(dvc.pid, signal.SIGKILL)
            dvc.wait()
    seconds = time.monotonic() - began
    text = log.read_text()
    if ended is None:
        running = re.findall(r"Running stage '(.+)'", text)
        return Kill(round(seconds, 1), running[-1] if running else "before the first stage", mended(root))
    if ended:
        raise SystemExit(f"dvc repro failed:\n{text[-4000:]}")
    return None


def mended(root: Path) -> str | None:
    """Take the remedy for what a kill has left cut off."""
    try:
        check_dvc_state(root)
    except DvcStateError as error:
        if str(RWLOCK) in str(error):
            (root / RWLOCK).unlink()
        elif tried(["git", "checkout", "dvc.lock"], root).returncode:
            (root / "dvc.lock").unlink()  # there is none in git yet: all it said is in the run cache
        return str(error)
    return None


def clone(folder: Path, profile: str | None) -> Path:
    typed(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], folder.parent)
    if profile:
        typed(["proofline", "profile", "use", profile, "--force"], folder)
    return folder


def never(seconds: float) -> bool:
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--profile", help="another recipe than the committed one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="that the graph takes undisturbed")
    options = parser.parse_args()
    source = random.Random(options.seed)
    with TemporaryDirectory(prefix="proofline-faults-") as folder:
        killed = clone(Path(folder, "killed"), options.profile)
        if options.profile:
            undisturbed, began = clone(Path(folder, "undisturbed"), options.profile), time.monotonic()
            reproduce(undisturbed, never)
            expected, seconds = out_hashes(undisturbed), time.monotonic() - began
        else:
            known = json.loads((RESULTS / "graph.json").read_text(encoding="utf-8"))["stages"]
            expected, seconds = out_hashes(killed), sum(row["alone_s"] for row in known.values())
        seconds = 60 * options.minutes if options.minutes else seconds
        moments = sorted(source.uniform(0.0, seconds) for _ in range(options.kills))
        kills: list[Kill] = []
        for before, moment in zip([0.0, *moments], moments, strict=False):
            kill = reproduce(killed, lambda since, wait=moment - before: since >= wait)
            if kill is None:
                break
            kills.append(kill)
            print(f"killed after {kill.seconds} s in {kill.stage}", *filter(None, [kill.remedy]), flush=True)
        reproduce(killed, never)
        found = out_hashes(killed)
    others = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    settings = {"profile": options.profile, "seed": options.seed, "seconds": round(seconds, 1)}
    done: dict[str, Any] = {"kills": [asdict(kill) for kill in kills], "outs": len(expected), "other_hashes": others}
    print(f"{len(kills)} kills, {len(expected)} outs, other hashes: {', '.join(others) or 'none'}")
    print(write_result("faults_graph", settings, ["torch", "transformers", "dvc"], **done))
    if others or len(kills) < options.kills:
        sys.exit("not what an undisturbed run makes" if others else "it came to its end before all the kills")


if __name__ == "__main__":
    main()
