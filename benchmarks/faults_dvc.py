"""What happens to DVC's work: a push that is killed, a disk that fills under `dvc repro`, files of DVC's cut short.

On a small graph, in checkouts with a bucket. `lost`: after the remedy an output, or an object in the bucket, is not
what it was. `undetected`: something damaged is taken for whole in between.
"""

from __future__ import annotations

import hashlib
import random
import signal
import time
from functools import partial
from pathlib import Path

from faults_counted import Count, Fault, fill, small_disk
from gcs import Store, serve
from machines import Machine, make_small

from proofline.storage.dvc_state import DvcStateError, check_dvc_state

NOBODY = "http://127.0.0.1:9"
PUSH_SECONDS, ROOM_BYTES, DISK_BYTES = 2.0, 14_000_000, 64 << 20
OUTS = ("weights.bin", "rows/1.txt", "rows/2.txt", "rows/3.txt")


def a_machine(root: Path) -> Machine:
    """A repository that has been reproduced, made once: to be copied."""
    folder = root / "reproduced"
    if not folder.exists():
        make_small(folder)
        machine = Machine(folder, NOBODY)
        machine.typed("proofline", "remote", "set", "gs://shelf/proofline")
        machine.typed("dvc", "repro")
    return Machine(folder, NOBODY)


def outs(machine: Machine) -> dict[str, str]:
    found = {name: machine.folder / name for name in OUTS}
    return {name: hashlib.md5(path.read_bytes()).hexdigest() for name, path in found.items() if path.exists()}


def push_killed(root: Path, source: random.Random, count: Count) -> None:
    """At a moment after its first upload has begun; the next push sends the rest."""
    with serve(Store("shelf", bare_lines=True)) as server:
        machine = a_machine(root).copied(root / str(count.runs), server.url)
        push = machine.start("dvc", "push")
        while push.poll() is None and not any("POST /upload/" in line for line in server.requests):
            time.sleep(0.01)
        time.sleep(source.uniform(0.0, PUSH_SECONDS))
        push.send_signal(signal.SIGKILL)
        push.communicate()
        count.runs += 1
        objects = server.store.buckets["shelf"]
        for name, one in list(objects.items()):
            stated = "".join(name.removesuffix(".dir").split("/")[-2:])
            count.undetected += "/files/md5/" in name and hashlib.md5(one.content).hexdigest() != stated
        count.lost += "byte for byte" not in machine.tried("proofline", "push").stdout


def full_disk(root: Path, source: random.Random, count: Count) -> None:
    """There is room for some of what the stages write and DVC keeps; with more, the next `dvc repro` goes on."""
    whole = a_machine(root)
    with small_disk(root / f"disk {count.runs}", DISK_BYTES) as disk:
        make_small(disk / "checkout")
        machine = Machine(disk / "checkout", NOBODY)
        ballast = fill(disk, source.randrange(ROOM_BYTES))
        first = machine.tried("dvc", "repro")
        count.runs += 1
        count.undetected += first.returncode == 0 and outs(machine) != outs(whole)
        ballast.unlink()
        check_dvc_state(machine.folder)
        count.lost += machine.tried("dvc", "repro").returncode != 0 or outs(machine) != outs(whole)
        count.lost += (machine.folder / "dvc.lock").read_bytes() != (whole.folder / "dvc.lock").read_bytes()


def cut_short(root: Path, source: random.Random, count: Count, name: str) -> None:
    """After any byte: told with its remedy, or harmless, and then nothing is computed again."""
    machine = a_machine(root)
    lock, path = machine.folder / "dvc.lock", machine.folder / name
    before, log = lock.read_bytes(), (machine.folder / "log").read_bytes()
    if name != "dvc.lock":
        path.write_text('{"write": {"/r/a": {"pid": 1, "cmd": "dvc repro"}}, "read": {}}')
    whole = path.read_bytes()
    path.write_bytes(whole[: source.randrange(len(whole))])
    count.runs += 1
    try:
        check_dvc_state(machine.folder)
    except DvcStateError as error:
        path.unlink()  # as it says; `git checkout` would bring back a committed lock
        count.undetected += str(path) not in str(error)
    done = machine.tried("dvc", "repro")
    count.lost += done.returncode != 0 or lock.read_bytes() != before
    count.undetected += (machine.folder / "log").read_bytes() != log
    lock.write_bytes(before)


FAULTS = {
    "`dvc push` killed": Fault(push_killed, of=20),
    "disk full during `dvc repro`": Fault(full_disk, of=20),
    "`dvc.lock` cut short": Fault(partial(cut_short, name="dvc.lock"), of=10),
    "`.dvc/tmp/rwlock` cut short": Fault(partial(cut_short, name=".dvc/tmp/rwlock"), of=10),
}
