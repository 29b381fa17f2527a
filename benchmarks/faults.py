"""What goes wrong, many times at random: the runs, the lost, the undetected. Zeros, or it fails.

    python benchmarks/faults.py [--runs 200] [--seed 0] [--only WORD ...]
    python benchmarks/faults_graph.py        # `dvc repro` of the whole graph, killed

Every fault is a real one: processes that are killed, bytes of files that are changed, requests that are broken off,
disks that fill. `lost`: something whose writer had said that it is safe, and that is not there or not what was written.
`undetected`: damage that would have been gone on from, or what arrived twice. A fault whose run takes seconds has fewer
of them. tests/checkpoints/test_faults_in_short.py does the quick ones a few times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faults_bucket import FAULTS as BUCKET
from faults_checkpoints import FAULTS as CHECKPOINTS
from faults_counted import Count, Fault, NoDiskError
from faults_dvc import FAULTS as DVC
from faults_tracking import FAULTS as TRACKING
from report import RESULTS, table, write_result

QUICK = CHECKPOINTS | BUCKET
FAULTS = QUICK | TRACKING | DVC


def counted(name: str, fault: Fault, folder: Path, runs: int, seed: int) -> Count:
    """What came of so many runs of a fault; of none where the disk for it cannot be had."""
    count = Count()
    for run in range(runs):
        try:
            fault.once(folder, random.Random(f"{seed} {name} {run}"), count)
        except NoDiskError:
            print(f"{name}: left out, for only root may mount the disk for it", file=sys.stderr)
            break
    return count


@contextmanager
def unsaid() -> Iterator[None]:
    """Whatever is told of every checkpoint that is not used, and of every request that is repeated."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only faults with it in their names")
    options = parser.parse_args()
    chosen = {name: one for name, one in FAULTS.items() if not options.only or any(w in name for w in options.only)}
    known = json.loads((RESULTS / "faults.json").read_text(encoding="utf-8"))["measured"] if options.only else {}
    settings, measured = {"runs": options.runs, "seed": options.seed}, known
    with TemporaryDirectory() as folder:
        for number, (name, fault) in enumerate(chosen.items()):
            with unsaid():
                count = counted(name, fault, Path(folder, str(number)), -(-options.runs // fault.of), options.seed)
            known[name] = vars(count)
            print(f"{name}: {count}", flush=True)
            measured = {name: known[name] for name in FAULTS if name in known}
            write_result("faults", settings, ["google-crc32c", "gcsfs", "mlflow", "dvc"], measured=measured)
    rows = [[name, *map(str, row.values())] for name, row in measured.items()]
    print(table(["fault", "runs", "lost", "undetected"], rows))
    if any(row["lost"] or row["undetected"] for row in measured.values()):
        sys.exit("something was lost, or damage was not seen")


if __name__ == "__main__":
    main()
