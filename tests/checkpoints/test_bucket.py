"""In a bucket a checkpoint is as safe as in a folder: what the store or the network does to it is seen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_checkpoints import IDENTITY, STAGE, a_writer, content, save, stored

from proofline.checkpoints.bucket import Bucket
from proofline.checkpoints.place import PlaceError, TakenError
from proofline.checkpoints.store import Keep, Store, step_folder
from proofline.checkpoints.trainings import find_kept
from proofline.storage.weights import weights_hash
from proofline.training.execution import Execution

sys.path.append(str(Path(__file__).parents[1] / "training"))
from training_rows import Recorded, Stopped, Stops, training

gcs = pytest.importorskip("gcs", reason="the bucket for tests")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    with gcs.serve(gcs.Store("shelf")) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def store(server: object) -> Store:
    return Store(Bucket(f"gs://shelf/kept/{STAGE}/{IDENTITY}"), STAGE, IDENTITY)


def test_what_is_committed_is_what_was_handed_over(store: Store, tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(a_writer(store, keep=Keep(last=2)), step)
    assert store.committed() == [3, 2]
    assert store.last_whole() == 3
    assert stored(store, 3) == content(3)
    (share,) = store.fetch(3, tmp_path)
    assert {path.name: path.read_bytes() for path in share.iterdir()} == content(3)
    assert [one.identity for one in find_kept(Bucket("gs://shelf/kept"))] == [IDENTITY]
    store.place.put(f"{step_folder(9)}/bbbbbbbb-00000/model.safetensors", [b"half"])
    store.collect()
    assert store.steps() == [3, 2]
    store.clear()
    assert not store.place.names()


def test_one_of_two_writers_commits(store: Store) -> None:
    save(a_writer(store, "aaaaaaaa"), 4)
    with pytest.raises(TakenError, match="step 4 of this very training was committed by another process"):
        save(a_writer(store, "bbbbbbbb"), 4)
    assert {name[:8] for name in store.manifest(4).objects} == {"aaaaaaaa"}
    assert store.last_whole() == 4


@pytest.mark.parametrize("kind", ["status", "lost", "broken"])
def test_a_request_that_fails_once_is_repeated(kind: str, store: Store, server: object) -> None:
    """`lost`: it was done and not answered, so the repeated one finds its own manifest there."""
    server.faults.append(gcs.Fault(kind, "POST /upload/", skip=3))
    server.faults.append(gcs.Fault(kind, "POST /upload/.*ifGenerationMatch=0"))
    save(a_writer(store), 1)
    assert store.last_whole() == 1
    assert stored(store, 1) == content(1)


def test_a_store_that_is_busy_is_asked_again_however_it_says_so(store: Store, server: object) -> None:
    """Google's storage-testbench: by JSON within JSON."""
    busy = {"error": {"message": "Retry Test: Caused a 503"}}
    server.faults += [gcs.Fault("status", on, told=busy) for on in ("POST /upload/", "GET .*alt=media")]
    save(a_writer(store), 1)
    assert store.last_whole() == 1
    assert not any(fault.times for fault in server.faults)


@pytest.mark.parametrize("kind", ["cut", "corrupt"])
def test_an_upload_that_arrives_otherwise_is_not_committed(kind: str, store: Store, server: object) -> None:
    save(a_writer(store), 1)
    server.faults.append(gcs.Fault(kind, "POST /upload/", skip=1))
    with pytest.raises(PlaceError, match=r"safetensors arrived with .* were sent"):
        save(a_writer(store), 2)
    assert store.last_whole() == 1


def test_a_manifest_that_arrives_otherwise_is_taken_back(store: Store, server: object) -> None:
    """Before the one before it goes."""
    save(a_writer(store), 1)
    server.faults.append(gcs.Fault("corrupt", "POST /upload/.*ifGenerationMatch=0"))
    with pytest.raises(PlaceError, match=r"manifest.json arrived with .* were sent"):
        save(a_writer(store, keep=Keep(last=1)), 2)
    assert store.committed() == [1]
    assert store.last_whole() == 1
    save(a_writer(store), 2)
    assert store.last_whole() == 2


def test_a_stream_that_breaks_once_is_no_damage_and_bytes_that_changed_are(store: Store, server: object) -> None:
    for step in (1, 2):
        save(a_writer(store), step)
    name = f"{step_folder(2)}/aaaaaaaa-00000/optimizer.safetensors"
    server.faults.append(gcs.Fault("corrupt", "GET .*optimizer.*alt=media"))
    assert store.last_whole() == 2
    store.place.put(name, [content(2)["optimizer.safetensors"][:-1] + b"x"])
    assert store.last_whole() == 1


@pytest.mark.slow
def test_a_training_goes_on_from_a_bucket(server: object, tiny_policy: Path, tmp_path: Path) -> None:
    """The folder of this machine has its lock, and none of its objects."""
    four_rows = Execution(threads=1, micro_batch=4)
    kept = replace(four_rows, checkpoints=tmp_path / "checkpoints", bucket="gs://shelf/kept", save_steps=1)
    with pytest.raises(Stopped):
        training("sft", tiny_policy)(0, tmp_path / "sft", Stops(), execution=kept)
    (store,) = find_kept(Bucket("gs://shelf/kept"), "train_sft")
    assert store.committed() == [3, 2]
    assert not list((tmp_path / "checkpoints").rglob("step-*"))
    run = Recorded()
    training("sft", tiny_policy)(0, tmp_path / "sft", run, execution=kept)
    assert run.tags["proofline.resumed_from"] == "3"
    training("sft", tiny_policy)(0, tmp_path / "undisturbed", Recorded(), execution=four_rows)
    assert weights_hash(tmp_path / "sft") == weights_hash(tmp_path / "undisturbed")
    assert not Bucket("gs://shelf/kept").names()


def test_an_answer_that_is_too_short_is_read_on_from(store: Store, server: object) -> None:
    save(a_writer(store), 1)
    server.faults.append(gcs.Fault("cut", "GET .*optimizer.*alt=media"))
    assert stored(store, 1) == content(1)
    assert not server.faults[0].times


def test_a_bucket_that_is_not_there_is_said(server: object) -> None:
    with pytest.raises(PlaceError, match="there is no bucket gs://shelv"):
        Store(Bucket("gs://shelv/kept"), STAGE, IDENTITY).last_whole()
