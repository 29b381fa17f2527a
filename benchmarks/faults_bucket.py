"""What happens to checkpoints on their way into a bucket and out of it, with the real client; the store is tests/gcs.

The client's waits are shortened to a hundredth, and it takes a second for silence: what is done is the same.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from faults_counted import Count, Fault
from gcs import Fault as Broken
from gcs import Server, serve
from gcs import Store as Kept
from gcs.keys import service_account
from small_checkpoints import IDENTITY, STAGE, a_writer, chunked, ended, in_fork, killed_at

from proofline.checkpoints import bucket as room
from proofline.checkpoints.bucket import Bucket
from proofline.checkpoints.place import CheckpointError, PlaceError
from proofline.checkpoints.store import Keep, Store
from proofline.storage.remote import guard_gcsfs

BLOCK_BYTES = 256 << 10
"""The least that a resumable upload may send at a time."""
OBJECTS = "/b/shelf/o"
"""In every request for objects; those for tokens may take minutes by themselves."""
LINES = 600
"""Of the store's code that a save comes to."""


class Hasty:
    """asyncio, for the client's retries."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@cache
def key() -> dict[str, str]:
    return service_account()


@contextmanager
def shelf() -> Iterator[tuple[Server, Store]]:
    """A bucket of its own and a store in it; whoever comes shows a token that its server made."""
    guard_gcsfs()
    import gcsfs.retry
    from fsspec.config import conf

    with serve(Kept("shelf")) as server, TemporaryDirectory() as folder:
        server.tokens, server.token_seconds = set(), 60
        path = Path(folder, "key.json")
        path.write_text(json.dumps(key() | {"token_uri": f"{server.url}/token"}))
        ours = {"endpoint_url": server.url, "token": str(path), "project": "project", "requests_timeout": 1.0}
        with (
            mock.patch.dict(conf, {"gs": ours}),
            mock.patch.object(gcsfs.retry, "asyncio", Hasty()),
            mock.patch.object(room, "BLOCK_BYTES", BLOCK_BYTES),
        ):
            yield server, a_store()


def a_store() -> Store:
    return Store(Bucket(f"gs://shelf/kept/{STAGE}/{IDENTITY}"), STAGE, IDENTITY)


def content(step: int) -> dict[str, bytes]:
    """One object that goes in pieces, one that goes at once."""
    source = random.Random(step)
    return {"model.safetensors": source.randbytes(2 * BLOCK_BYTES + 4321), "state.json": source.randbytes(99)}


def save(store: Store, step: int, attempt: str = "aaaaaaaa") -> None:
    writer = a_writer(store, attempt, keep=Keep(last=2))
    writer.start(step, {name: chunked(data, BLOCK_BYTES) for name, data in content(step).items()})
    writer.wait()
    if writer.error:
        raise writer.error


def resumed(store: Store) -> tuple[int, dict[str, bytes]]:
    """The checkpoint that a training would go on from, and what it would read."""
    step = store.last_whole() or 0
    with TemporaryDirectory() as scratch:
        (share,) = store.fetch(step, Path(scratch))
        return step, {path.name: path.read_bytes() for path in share.iterdir()}


def at_a_request(root: Path, source: random.Random, count: Count, kind: Any) -> None:
    """Something goes wrong with one request of a save and of what reads it: any of them."""
    with shelf() as (server, store):
        save(store, 1)
        resumed(store)
        asked = sum(OBJECTS in line for line in server.requests)
        server.faults.append(Broken(kind, OBJECTS, skip=source.randrange(asked)))
        said = 1
        try:
            save(store, 2)
            said = 2
            step, found = resumed(store)
            count.undetected += found != content(step)
        except (PlaceError, CheckpointError):  # said: the checkpoint is skipped, or is read again
            pass
        server.faults.clear()
        count.runs += 1
        step, found = resumed(store)
        count.lost += step < said or found != content(step)
        count.undetected += any(store.fault(one) for one in store.committed())


def flipped(root: Path, source: random.Random, count: Count) -> None:
    """An object of the newest checkpoint changes where it lies."""
    with shelf() as (server, store):
        for step in (1, 2):
            save(store, step)
        objects = server.store.buckets["shelf"]
        name = source.choice(sorted(name for name in objects if "step-00000002" in name))
        changed = bytearray(objects[name].content)
        changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
        objects[name].content = bytes(changed)
        count.runs += 1
        count.undetected += store.fault(2) is None
        step, found = resumed(store)
        count.lost += step != 1 or found != content(1)


def killed(root: Path, source: random.Random, count: Count) -> None:
    """A writer is killed at a line of the store's code."""
    with shelf() as (_, store):
        save(store, 1)
        line = source.randrange(1, LINES)

        def work() -> None:
            killed_at(line)
            save(a_store(), 2, "bbbbbbbb")  # a client does not outlive a fork

        status = ended(in_fork(work))
        assert status in (0, -signal.SIGKILL), status
        count.runs += 1
        step, found = resumed(store)
        count.lost += step < (2 if status == 0 else 1) or found != content(step)
        count.undetected += any(store.fault(one) for one in store.committed())


FAULTS = {
    "bucket: SIGKILL at a random line of saving": Fault(killed, of=10),
    "bucket: a bit flipped, any object": Fault(flipped, of=10),
    "bucket: HTTP 503": Fault(partial(at_a_request, kind="status"), of=10),
    "bucket: done, and never answered": Fault(partial(at_a_request, kind="lost"), of=10),
    "bucket: broken stream": Fault(partial(at_a_request, kind="broken"), of=10),
    "bucket: stalled connection": Fault(partial(at_a_request, kind="stalled"), of=20),
    "bucket: part of an upload is kept": Fault(partial(at_a_request, kind="partial"), of=10),
    "bucket: truncated": Fault(partial(at_a_request, kind="cut"), of=10),
    "bucket: wrong checksum": Fault(partial(at_a_request, kind="corrupt"), of=10),
    "bucket: credentials expire": Fault(partial(at_a_request, kind="expired"), of=10),
}
