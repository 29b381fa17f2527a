"""`proofline checkpoints` says what there is, and removes nothing that is good without being told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import REPOSITORY
from small_checkpoints import IDENTITY, STAGE, a_store, a_writer, save

from proofline.checkpoints.folder import Folder
from proofline.checkpoints.pieces import Pieces
from proofline.checkpoints.store import LOCK, Keep, step_folder
from proofline.cli import main
from proofline.config import load_params
from proofline.storage.lock import held
from proofline.tracking.spool import leaves
from proofline.training.identity import DRAWING, DRAWING_LIBRARIES, software_identity


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With four checkpoints of the recipe that it has."""
    (tmp_path / "dvc.yaml").touch()
    recipe = (REPOSITORY / "profiles/embedded.yaml").read_text()
    (tmp_path / "params.yaml").write_text(recipe)
    monkeypatch.chdir(tmp_path)
    section = load_params(tmp_path / "params.yaml").sft.model_dump(mode="json")
    for step in (1, 2, 3, 4):
        writer = a_writer(a_store(tmp_path / "checkpoints"), keep=Keep(last=9))
        writer.decided_by = {"section": section, "seed": 0, "software": software_identity()}
        save(writer, step)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["checkpoints", *arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def newest(repository: Path) -> Path:
    return repository / "checkpoints" / STAGE / IDENTITY / step_folder(4)


def damage(repository: Path) -> None:
    (newest(repository) / "aaaaaaaa-00000/model.safetensors").write_bytes(b"other")


def test_list_tells_whose_they_are(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "list")
    assert f"{STAGE}/{IDENTITY}: of the present recipe and code" in listed
    assert listed.count(" of 100, written ") == 4
    (newest(repository) / "manifest.json").unlink()
    recipe = repository / "params.yaml"
    recipe.write_text(recipe.read_text().replace("\nseed: 0", "\nseed: 7"))
    listed = said(capsys, "list")
    assert "not of the present recipe (seed 0, now 7)" in listed
    assert "step        4" in listed
    assert "cut off while it was written" in listed


def test_show_tells_what_decided_it_and_what_it_holds(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "show", "train_sft/0123")
    assert '"learning_rate": ' in shown
    assert "step 4 of 100, by 1 processes" in shown
    assert "aaaaaaaa-00000/optimizer.safetensors  5.0 kB  CRC-32C" in shown
    assert "found no checkpoints of 'train_dpo'" in said(capsys, "show", "train_dpo", status=1)


def test_verify_fails_where_a_byte_differs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "verify").count(": whole\n") == 4
    damage(repository)
    failed = said(capsys, "verify", status=1)
    assert f"1 checkpoints cannot be gone on from ({STAGE}/{IDENTITY} step 4)" in failed


def test_prune_removes_the_damaged_and_never_the_only_good_one(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFLINE_KEEP_LAST", "1")
    store = a_store(repository / "checkpoints")
    damage(repository)
    store.place.put(f"{step_folder(8)}/bbbbbbbb-00000/model.safetensors", [b"half"])
    before = store.place.names()
    assert "would remove steps 4, 2, 1 and 1 leftovers" in said(capsys, "prune", "--dry-run")
    assert store.place.names() == before
    assert "removed steps 4, 2, 1 and 1 leftovers" in said(capsys, "prune")
    assert store.steps() == [3]
    assert "removed steps none and 0 leftovers" in said(capsys, "prune")
    with held(repository / "checkpoints" / STAGE / IDENTITY / LOCK):
        pass
    assert "removed steps 3" in said(capsys, "prune", "--all")
    assert "no checkpoints in" in said(capsys, "list")


def test_what_a_training_uses_is_not_pruned(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(repository / "checkpoints" / STAGE / IDENTITY / LOCK):
        assert f"{STAGE}/{IDENTITY} is in use by process" in said(capsys, "prune", "--all", status=1)
    assert len(a_store(repository / "checkpoints").committed()) == 4


def test_a_link_out_of_the_folder_is_no_training(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = repository / "elsewhere"
    (repository / "checkpoints" / STAGE).rename(elsewhere)
    (repository / "checkpoints" / STAGE).symlink_to(elsewhere)
    assert "no checkpoints in" in said(capsys, "list")
    said(capsys, "prune", "--all")
    assert len(list(elsewhere.rglob("manifest.json"))) == 4


# Pieces of a stage of shards


@pytest.fixture
def drawn(repository: Path) -> Pieces:
    """Three pieces of the recipe beside the checkpoints, the first cut off, and what a writer left."""
    params = load_params(repository / "params.yaml")
    recipe = dict(leaves({"verification": params.verification, "seed": params.seed}))
    decided_by = {"recipe": recipe, "software": software_identity(DRAWING, DRAWING_LIBRARIES)}
    pieces = Pieces(Folder(repository / "checkpoints/verify" / IDENTITY), "verify", IDENTITY)
    for number in (1, 2, 3):
        pieces.write(number, decided_by, {f"{number}-{shard}": ["1", "2"] for shard in range(number)})
    first = pieces.place.path("piece-00000001.json")
    first.write_bytes(first.read_bytes()[:-9])
    first.with_name("piece-00000004.json.0a1b2c3d").touch()
    return pieces


def test_pieces_are_listed_and_told_like_checkpoints(drawn: Pieces, capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "list")
    assert f"{STAGE}/{IDENTITY}: of the present recipe and code" in listed
    assert f"verify/{IDENTITY}: of the present recipe and code" in listed
    assert "  piece        3" in listed
    assert "  6 results of 3 shards, written 20" in listed
    assert "damaged: its bytes are not those that were written" in listed
    assert "6 results of 3 shards, written 20" in said(capsys, "show", "verify")
    failed = said(capsys, "verify", "verify/0123", status=1)
    assert f"1 checkpoints cannot be gone on from (verify/{IDENTITY} piece 1)" in failed
    recipe = Path("params.yaml")
    chains = load_params(recipe).verification.num_chains
    recipe.write_text(recipe.read_text().replace(f"num_chains: {chains}", "num_chains: 77"))
    assert f"not of the present recipe (verification.num_chains {chains}, now 77)" in said(capsys, "list", "verify")


def test_prune_leaves_every_whole_piece(drawn: Pieces, capsys: pytest.CaptureFixture[str]) -> None:
    assert "would remove pieces 1 and 1 leftovers" in said(capsys, "prune", "verify", "--dry-run")
    assert "removed pieces 1 and 1 leftovers" in said(capsys, "prune", "verify")
    assert drawn.numbers() == [3, 2]
    with held(Path("checkpoints/verify") / IDENTITY / LOCK):
        assert "is in use by process" in said(capsys, "prune", "verify", "--all", status=1)
    assert "removed pieces 3, 2 and 0 leftovers" in said(capsys, "prune", "verify", "--all")
    assert "no checkpoints of 'verify'" in said(capsys, "list", "verify", status=1)
