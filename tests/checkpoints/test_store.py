"""A checkpoint is there whole or not at all, whatever happens to its writers, its bytes and its folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_checkpoints import (
    IDENTITY,
    STAGE,
    a_store,
    a_writer,
    content,
    ended,
    in_fork,
    killed_at,
    save,
    save_in_turn,
    stored,
)

from proofline.checkpoints.folder import Folder
from proofline.checkpoints.manifest import seal
from proofline.checkpoints.place import CheckpointError, PlaceError, TakenError
from proofline.checkpoints.store import Keep, step_folder
from proofline.checkpoints.writer import Writer
from proofline.storage.lock import LockError, held


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the checkpoints of steps 1 and 2."""
    root = tmp_path_factory.mktemp("two")
    for step in (1, 2):
        save(a_writer(a_store(root)), step)
    return root


@pytest.fixture
def copy(two: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two, tmp_path / "copy")


def newest(root: Path) -> Path:
    return root / STAGE / IDENTITY / step_folder(2)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_is_committed_is_what_was_handed_over(two: Path) -> None:
    store = a_store(two)
    assert store.last_whole() == 2
    assert stored(store, 2) == content(2)
    assert not list(store.leftovers())
    assert store.manifest(2).decided_by["section"] == {"epochs": 1.0}


def test_every_process_writes_its_share_and_the_first_one_the_manifest(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    children = [
        in_fork(lambda rank=rank: save(a_writer(store, rank=rank, processes=3), 7)) for rank in (2, 0, 1)
    ]  # fmt: skip
    assert [ended(child) for child in children] == [0, 0, 0]
    assert store.last_whole() == 7
    manifest = store.manifest(7)
    for rank in range(3):
        for name, data in content(7, rank).items():
            assert b"".join(store.place.read(f"{step_folder(7)}/aaaaaaaa-{rank:05d}/{name}")) == data
    assert len(manifest.objects) == 9
    assert not list(store.leftovers())


def test_killed_at_any_moment_the_last_whole_one_is_what_the_writer_said(tmp_path: Path) -> None:
    """Ten writers, each killed at a random line of the store's code, go on where the one before was stopped."""
    store, told, source = a_store(tmp_path / "store"), tmp_path / "told", random.Random(0)
    for _ in range(10):
        first = (store.last_whole() or 0) + 1
        line = source.randrange(1, 1500)

        def work(first: int = first, line: int = line) -> None:
            store.collect()
            killed_at(line)
            save_in_turn(tmp_path / "store", first, first + 20, told, Keep(last=2))

        assert ended(in_fork(work)) == -signal.SIGKILL
        whole = store.last_whole() or 0
        said = [int(step) for step in told.read_text().split()] if told.exists() else [0]
        assert whole >= max(said), "a checkpoint that was safe is gone"
        if whole:
            assert stored(store, whole) == content(whole)
        for step in store.committed():
            assert store.fault(step) is None
    assert whole, "they came forward"
    store.collect()
    assert not list(store.leftovers())
    assert store.last_whole() == whole


def test_two_writers_of_one_step_have_one_winner_and_one_clear_error(tmp_path: Path) -> None:
    for round in range(5):
        store, said = a_store(tmp_path / str(round)), tmp_path / f"said-{round}"

        def work(attempt: str, store=store, said=said) -> None:
            try:
                save(a_writer(store, attempt), 3)
            except TakenError as error:
                said.write_text(str(error))
                os._exit(3)

        children = [in_fork(lambda attempt=attempt, work=work: work(attempt)) for attempt in ("aaaaaaaa", "bbbbbbbb")]
        assert sorted(ended(child) for child in children) == [0, 3]
        assert "step 3 of this very training was committed by another process" in said.read_text()
        assert store.last_whole() == 3
        assert stored(store, 3) == content(3)
        assert len({name[:8] for name in store.manifest(3).objects}) == 1
        store.collect()
        assert not list(store.leftovers())
        assert store.last_whole() == 3


@given(st.data())
def test_a_flipped_bit_in_any_file_is_seen_and_the_one_before_taken(two: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files_of(newest(two))))
    before = path.read_bytes()
    changed = bytearray(before)
    changed[data.draw(st.integers(0, len(before) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed)
    try:
        assert a_store(two).fault(2) is not None
        assert a_store(two).last_whole() == 1
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 1)])
def test_a_file_that_is_gone_or_short_is_named(
    copy: Path, harm: Callable[[Path], object], capfd: pytest.CaptureFixture[str]
) -> None:
    for path in files_of(newest(copy)):
        before = path.read_bytes()
        harm(path)
        assert a_store(copy).last_whole() == 1
        said = capfd.readouterr().err
        assert f"checkpoints: {newest(copy)} is not used: " in said
        assert path.name in said
        path.write_bytes(before)
    assert a_store(copy).last_whole() == 2


@pytest.mark.parametrize("name", ["optimizer.safetensors", "manifest.json"])
def test_a_disk_that_loses_what_it_was_given_commits_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a writer that drops what was not flushed (pytorch#183878)."""
    real = os.fsync

    def lossy(opened: int) -> None:
        real(opened)
        if name in os.readlink(f"/proc/self/fd/{opened}"):
            os.ftruncate(opened, os.fstat(opened).st_size - 9)

    monkeypatch.setattr(os, "fsync", lossy)
    store = a_store(tmp_path)
    with pytest.raises(CheckpointError, match=rf"{name}.* has .* bytes with .*; .* with .* were written"):
        save(a_writer(store), 1)
    assert not store.committed()


# What stays

steps = st.lists(st.integers(1, 40), unique=True, min_size=1, max_size=8).map(sorted)


@settings(max_examples=10)
@given(steps, st.integers(1, 3), st.none() | st.integers(1, 10))
def test_the_newest_stay_and_those_of_every_so_many_steps(
    tmp_path_factory: pytest.TempPathFactory, saved: list[int], last: int, every: int | None
) -> None:
    store = a_store(tmp_path_factory.mktemp("rotated"))
    writer = a_writer(store, keep=Keep(last, every))
    for step in saved:
        save(writer, step)
    expected = {step for step in saved if step in saved[-last:] or (every and step % every == 0)}
    assert set(store.committed()) == expected
    assert store.last_whole() == saved[-1]
    assert not list(store.leftovers())


def test_what_a_running_writer_has_there_is_no_leftover(copy: Path) -> None:
    store = a_store(copy)
    for attempt in ("bbbbbbbb", "cccccccc"):
        store.place.put(f"{step_folder(9)}/{attempt}-00000/model.safetensors", [b"half"])
    store.collect("bbbbbbbb")
    assert [path.parent.name for path in (newest(copy).parent / step_folder(9)).rglob("*.safetensors")] == [
        "bbbbbbbb-00000"
    ]
    assert store.last_whole() == 2


def test_who_waits_for_a_file_may_have_taken_it_away_before_it_is_compared(tmp_path: Path) -> None:
    """The first process removes the receipts of the others as soon as it has read them."""
    receipt = tmp_path / "step/1/receipt.json"

    def chunks() -> Iterator[bytes]:
        yield b"all of it"
        receipt.unlink()
        receipt.parent.rmdir()

    assert Folder(tmp_path).put("step/1/receipt.json", chunks()).num_bytes == 9


def test_writing_that_is_stopped_leaves_no_checkpoint_and_ends_at_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    writer = a_writer(store, processes=2)  # the other one never comes
    writer.start(1, {"model.safetensors": lambda: [b"x"]})
    writer.stop()
    assert not writer.is_writing
    assert writer.error is None
    assert not store.committed()


# Input that means harm

OUTSIDE = "../" * 9 + "etc/passwd"


def forge(root: Path, change: Callable[[dict], object]) -> str:
    """What is said of a checkpoint whose manifest says something else, and vouches for it."""
    path = newest(root) / "manifest.json"
    manifest = json.loads(path.read_bytes())["content"]
    change(manifest)
    path.write_bytes(seal(manifest))
    said = a_store(root).fault(2)
    assert said is not None
    assert a_store(root).last_whole() == 1
    return said


@pytest.mark.parametrize("name", [OUTSIDE, "/etc/passwd", "aaaaaaaa-00000/../../x.json", "aaaaaaaa-00000/.json", ""])
def test_a_name_that_leads_out_of_the_tree_is_refused(copy: Path, name: str) -> None:
    said = forge(copy, lambda manifest: manifest["objects"].update({name: {"num_bytes": 1, "crc32c": "00000000"}}))
    assert "it is no manifest: objects" in said
    assert name in said


def test_absurd_sizes_are_refused_before_anything_is_read(copy: Path) -> None:
    first = "aaaaaaaa-00000/model.safetensors"
    said = forge(copy, lambda manifest: manifest["objects"][first].update(num_bytes=2**61))
    assert "bytes, 2,305,843,009,213,693,952 were written" in said
    for number in (2**63, -1, 1e300, "many"):
        said = forge(copy, lambda manifest, number=number: manifest["objects"][first].update(num_bytes=number))
        assert "it is no manifest: objects" in said
    with open(newest(copy) / "manifest.json", "wb") as sparse:
        sparse.truncate(1 << 40)
    assert "1,099,511,627,776 bytes, and none that was written here has more" in str(a_store(copy).fault(2))


@pytest.mark.parametrize("what", ["manifest.json", "aaaaaaaa-00000", "aaaaaaaa-00000/model.safetensors", "."])
def test_a_link_out_of_the_tree_is_not_followed(copy: Path, tmp_path: Path, what: str) -> None:
    place = newest(copy) / what
    elsewhere = tmp_path / "elsewhere"
    shutil.move(place, elsewhere)
    place.symlink_to(elsewhere)
    assert "found a symbolic link" in str(a_store(copy).fault(2))
    assert a_store(copy).last_whole() == 1
    a_store(copy).remove(2)
    assert elsewhere.exists(), "what it points to is not ours to remove"
    assert a_store(copy).steps() == [1]


def test_a_lock_that_is_a_link_writes_over_nothing(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody")
    (tmp_path / "lock").symlink_to(elsewhere)
    with pytest.raises(LockError, match="lock is a symbolic link"), held(tmp_path / "lock"):
        pass
    assert elsewhere.read_text() == "of somebody"


def test_a_checkpoint_of_another_training_is_not_taken_for_this_ones(copy: Path) -> None:
    for change in ({"identity": "f" * 16}, {"stage": "train_dpo"}, {"step": 3}):
        said = forge(copy, lambda manifest, change=change: manifest.update(change))
        assert "it is that of" in said
    shutil.copytree(newest(copy), newest(copy).with_name(step_folder(5)))
    assert "it is that of" in str(a_store(copy).fault(5))


@pytest.mark.parametrize("name", [OUTSIDE, "/tmp/x", "a//b", "a/./b", "a/..", "a\0b", "", "a\n"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    store = a_store(tmp_path)
    for write in (lambda: store.place.put(name, [b"x"]), lambda: store.place.create(name, b"x")):
        with pytest.raises(CheckpointError, match="Nothing was read or written under it"):
            write()
    assert not files_of(tmp_path)


def test_a_receipt_that_never_comes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofline.checkpoints.writer.PATIENCE_SECONDS", 0.01)
    writer: Writer = a_writer(a_store(tmp_path), processes=2)
    with pytest.raises(PlaceError, match="process 1 of 2 has not written its share of step 4"):
        save(writer, 4)
