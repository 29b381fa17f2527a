"""`proofline remote set`, `push` and `verify-remote`, and what comes out on another machine; the bucket has faults."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import PATIENCE_SECONDS, commit, typed
from gcs import Fault, Server, Store, serve
from machines import Machine, make_small

pytestmark = pytest.mark.slow
UPLOADS = "POST /upload/"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Store("shelf")) as server:
        yield server


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A repository after `dvc repro`, with the remote, committed. To be copied."""
    folder = tmp_path_factory.mktemp("machines") / "reproduced"
    make_small(folder)
    machine = Machine(folder, "http://127.0.0.1:9")
    machine.typed("proofline", "remote", "set", "gs://shelf/proofline/")
    machine.typed("dvc", "repro")
    commit(folder)
    return machine


@pytest.fixture
def machine(reproduced: Machine, server: Server, tmp_path: Path) -> Machine:
    return reproduced.copied(tmp_path / "first", server.url)


def stored(server: Server) -> dict[str, bytes]:
    return {name: one.content for name, one in server.store.buckets["shelf"].items()}


def put(server: Server, name: str, content: bytes | None) -> None:
    """Somebody changes the bucket."""
    with server.store.lock:
        if content is None:
            server.store.delete("shelf", name, {})
        else:
            server.store.insert("shelf", name, content, {}, {})


def named(server: Server, found: Callable[[bytes], bool]) -> str:
    (name,) = [name for name, content in stored(server).items() if "/files/" in name and found(content)]
    return name


def test_a_push_is_compared_and_what_differs_is_mended(machine: Machine, server: Server) -> None:
    said = machine.tried("proofline", "push")
    assert said.returncode == 0, said.stderr
    assert "gs://shelf/proofline: all 5 objects and 2 runs are there, byte for byte (6.0 MB)" in said.stdout
    whole = stored(server)
    assert len(whole) == 7
    assert machine.typed("proofline", "verify-remote") == said.stdout.splitlines(keepends=True)[-1]

    weights, second = named(server, lambda one: len(one) > 10**6), named(server, lambda one: one == b"row 2\n")
    put(server, weights, whole[weights][:1000])
    put(server, second, b"row X\n")
    put(server, named(server, lambda one: one == b"row 3\n"), None)
    run = next(name for name in whole if "/runs/" in name)
    put(server, run, whole[run] + b"# more\n")
    assert "Everything is up to date" in machine.tried("dvc", "push").stdout, "DVC believes names"
    said = machine.refused("proofline", "push")
    assert re.search(r"truncated +weights.bin  1.0 kB of 6.0 MB\n", said)
    assert re.search(r"checksum +rows/2.txt  6 bytes\n", said)
    assert re.search(r"missing +rows/3.txt  6 bytes\n", said)
    assert "--repair" in said
    said = machine.refused("proofline", "verify-remote")
    assert "3 of 7 differ" in said, "dvc push itself sends the run cache anew each time"
    assert machine.typed("proofline", "verify-remote", "--repair").count("mended: ") == 3
    assert stored(server) == whole
    assert "byte for byte" in machine.typed("proofline", "verify-remote")


def test_a_machine_without_a_cache_verifies_but_does_not_invent(machine: Machine, server: Server) -> None:
    machine.typed("proofline", "push")
    second = named(server, lambda one: one == b"row 2\n")
    put(server, second, b"row\n")
    shutil.rmtree(machine.folder / ".dvc/cache")
    said = machine.refused("proofline", "verify-remote", "--repair")
    assert re.search(r"still: checksum +rows/2.txt  4 bytes\n", said)
    assert "no sound copy of 1:" in said
    listing = named(server, lambda one: one.startswith(b"["))
    put(server, listing, stored(server)[listing][:-9])
    assert "which files are in rows/ is not known" in machine.refused("proofline", "verify-remote")


def test_a_folder_is_a_remote_that_is_read(machine: Machine, tmp_path: Path) -> None:
    machine.typed("dvc", "remote", "add", "shelf", str(tmp_path / "shelf"))
    machine.typed("proofline", "push", "--remote", "shelf")
    weights = next(
        path for path in (tmp_path / "shelf/files").rglob("*") if path.is_file() and path.stat().st_size > 10**6
    )
    content = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(b"x" + content[1:])
    assert re.search(
        "checksum +weights.bin  6.0 MB", machine.refused("proofline", "verify-remote", "--remote", "shelf")
    )
    machine.typed("proofline", "verify-remote", "--remote", "shelf", "--repair")
    assert weights.read_bytes() == content


def test_faults_that_the_client_survives_cost_nothing(machine: Machine, server: Server) -> None:
    """One upload: half of it is kept, then the store is busy, the connection breaks, and the answer is lost."""
    server.faults += [Fault(kind, f"{UPLOADS}.*upload_id=") for kind in ("partial", "status", "broken", "lost")]
    assert "byte for byte" in machine.typed("proofline", "push")
    assert not any(fault.times for fault in server.faults)


def test_damage_that_the_client_takes_for_done_is_found_and_mended(machine: Machine, server: Server) -> None:
    server.faults += [Fault("cut", f"{UPLOADS}.*upload_id="), Fault("corrupt", f"{UPLOADS}.*multipart", skip=3)]
    said = machine.refused("proofline", "push")
    assert re.search(r"truncated +weights.bin  3.0 MB of 6.0 MB\n", said)
    assert "2 of 7 differ" in said
    assert "byte for byte" in machine.typed("proofline", "verify-remote", "--repair")


def test_a_token_that_expires_during_a_push_is_renewed(
    machine: Machine, server: Server, tmp_path: Path, key_of: Callable[[Server], dict[str, str]]
) -> None:
    """By a key outside the repository, as `remote set` has noted it on this machine."""
    machine.forget_global_settings()
    (tmp_path / "key.json").write_text(json.dumps(key_of(server)))
    way_in = ("--key", str(tmp_path / "key.json"), "--endpoint", server.url)
    machine.typed("proofline", "remote", "set", "gs://shelf/proofline", *way_in)
    server.tokens, server.token_seconds = set(), 60
    server.faults.append(Fault("expired", f"{UPLOADS}.*upload_id="))
    assert "byte for byte" in machine.typed("proofline", "push")
    assert not server.faults[0].times
    assert "key.json" not in (machine.folder / ".dvc/config").read_text()


def test_a_push_that_stalls_ends_and_the_next_one_sends_the_rest(machine: Machine, server: Server) -> None:
    """gcsfs itself waits without end; what is waited for is 300 s, here 2."""
    from fsspec.config import conf

    from proofline.storage.remote import REQUEST_SECONDS, guard_gcsfs

    guard_gcsfs()
    assert conf["gs"]["requests_timeout"] == REQUEST_SECONDS
    machine.variables["FSSPEC_GS_REQUESTS_TIMEOUT"] = "2"  # read when fsspec is imported: by a Python of its own
    server.faults.append(Fault("stalled", f"{UPLOADS}.*upload_id="))
    stalled = machine.start("proofline", "push")
    said = "".join(stalled.communicate(timeout=PATIENCE_SECONDS))
    assert stalled.returncode == 1, said
    assert "`proofline push` sends the rest" in said
    assert "Traceback" not in said
    assert "byte for byte" in machine.typed("proofline", "push")


def test_a_push_that_is_killed_is_ended_by_the_next(machine: Machine, server: Server) -> None:
    server.faults.append(Fault("stalled", f"{UPLOADS}.*upload_id="))
    push = machine.start("proofline", "push")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any("upload_id=" in line for line in server.requests):
        assert time.monotonic() < deadline
        assert push.poll() is None
        time.sleep(0.05)
    push.send_signal(signal.SIGKILL)
    push.communicate()
    assert not any(len(content) > 10**6 for content in stored(server).values()), "an upload is whole or absent"
    assert re.search("missing +weights.bin  6.0 MB", machine.refused("proofline", "verify-remote"))
    assert "byte for byte" in machine.typed("proofline", "push")


def test_another_machine_restores_everything_and_runs_nothing(machine: Machine, server: Server, tmp_path: Path) -> None:
    machine.typed("proofline", "push")
    typed(["git", "clone", "-q", str(machine.folder), str(tmp_path / "second")], tmp_path)
    second = Machine(tmp_path / "second", server.url)
    said = second.typed("dvc", "repro", "--pull")
    assert "Running stage" not in said
    assert not (second.folder / "log").exists()
    assert (second.folder / "weights.bin").read_bytes() == (machine.folder / "weights.bin").read_bytes()
    (second.folder / "dvc.lock").unlink()
    said = second.typed("dvc", "repro", "--pull")
    assert said.count("is cached - skipping run") == 2, "the run cache has come along"
    assert typed(["git", "status", "--porcelain"], second.folder) == ""


def test_what_dvc_leaves_cut_off_is_told_with_its_remedy(machine: Machine) -> None:
    rwlock, lock = machine.folder / ".dvc/tmp/rwlock", machine.folder / "dvc.lock"
    rwlock.write_text('{"write": {')
    assert "corrupted" in machine.tried("dvc", "repro").stderr
    said = machine.refused("proofline", "push")
    assert f"rm {rwlock}" in said
    rwlock.unlink()
    text = lock.read_text()
    for cut in (0, text.index("cmd:") + 2, text.index("md5:") + 12, len(text) - 20):
        lock.write_text(text[:cut])
        assert "git checkout dvc.lock" in machine.refused("proofline", "verify-remote"), text[:cut]
    lock.write_text(text[: text.index("  weights:")])
    assert "not in dvc.lock, so not in the remote: weights.bin; `dvc repro` makes" in machine.typed("proofline", "push")
    assert "is cached - skipping run" in machine.typed("dvc", "repro")
    assert lock.read_text() == text
