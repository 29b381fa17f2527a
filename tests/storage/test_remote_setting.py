"""`proofline remote set` writes what git may keep, keeps from it what it may not, and refuses what would leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkout import typed

from proofline.storage.remote_setting import Access, RemoteError, set_remote

SERVICE = {"type": "service_account", "private_key": "-----BEGIN SECRET"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as `dvc init` leaves it."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    folder = tmp_path / "repository"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    typed(["git", "init", "-q"], folder)
    return folder


def written(root: Path) -> tuple[str, str]:
    local = root / ".dvc/config.local"
    return (root / ".dvc/config").read_text(), local.read_text() if local.exists() else ""


def test_git_keeps_the_bucket_and_the_machine_its_way_in(root: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(SERVICE))
    set_remote(root, "gs://shelf/some/prefix/", Access(key, endpoint="http://127.0.0.1:1"))
    shared, local = written(root)
    assert shared.splitlines() == [
        "[core]", "    analytics = false", "    remote = bucket", "['remote \"bucket\"']",
        "    url = gs://shelf/some/prefix", "    verify = True",
    ]  # fmt: skip
    assert str(key) in local
    assert "endpointurl" in local
    assert "?? .dvc/config.local" not in typed(["git", "status", "--porcelain", "-uall"], root)
    set_remote(root, "gs://other", Access())
    assert "url = gs://other\n" in written(root)[0]
    assert written(root)[1] == local, "another bucket is entered the same way"
    set_remote(root, "gs://other", Access(anonymous=True))
    assert "credentialpath" not in written(root)[1]
    assert "endpointurl" in written(root)[1]
    set_remote(root, "gs://other", Access(key))
    assert "anonymous" not in written(root)[1]


def test_what_was_committed_of_a_way_in_is_taken_out(root: Path) -> None:
    options = (
        "url = gs://old\n    jobs = 3\n    endpointurl = http://127.0.0.1:1\n    credentialpath = /keys/key.json\n"
    )
    (root / ".dvc/config").write_text(f"['remote \"bucket\"']\n    {options}")
    set_remote(root, "gs://shelf/p", Access())
    shared, local = written(root)
    assert "jobs = 3" in shared
    assert not {"credentialpath", "endpointurl"} & set(shared.split())
    assert "credentialpath = /keys/key.json" in local
    assert "endpointurl = http://127.0.0.1:1" in local


@pytest.mark.parametrize(
    "url",
    ["shelf/p", "s3://shelf/p", "gs://", "gs://Shelf/p", "gs://shelf//p", "gs://shelf/../p", "gs://shelf/p?token=SECRET",
     "gs://ada:SECRET@shelf/p"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(root: Path, url: str) -> None:
    with pytest.raises(RemoteError, match="expected gs://BUCKET/PREFIX") as refused:
        set_remote(root, url, Access())
    assert "SECRET" not in str(refused.value)
    assert "remote" not in written(root)[0]


@pytest.mark.parametrize("way", ["inside", "link to inside", "link from inside", "ignored", "variable", "committed"])
def test_a_key_in_the_repository_is_refused(
    root: Path, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside = root / "keys/key.json", tmp_path / "key.json"
    inside.parent.mkdir()
    (outside if way == "link from inside" else inside).write_text(json.dumps(SERVICE))
    given = {"link to inside": outside}.get(way, inside)
    if way.startswith("link"):
        given.symlink_to({"link to inside": inside}.get(way, outside))
    if way == "ignored":
        (root / ".gitignore").write_text("/keys/\n")
    if way == "variable":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(inside))
    if way == "committed":
        (root / ".dvc/config").write_text("['remote \"bucket\"']\n    credentialpath = ../keys/key.json\n")
    before = written(root)
    with pytest.raises(RemoteError, match="would publish it: move it out") as refused:
        set_remote(root, "gs://shelf/p", Access(None if way in ("variable", "committed") else given))
    assert "SECRET" not in str(refused.value)
    assert written(root) == before


def test_what_is_no_key_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("SECRET")
    for given in (tmp_path / "text", tmp_path / "none", Path(json.dumps(SERVICE))):
        with pytest.raises(RemoteError, match="key file") as refused:
            set_remote(root, "gs://shelf/p", Access(given))
        assert "SECRET" not in str(refused.value)


def test_a_local_configuration_that_git_would_take_is_refused(root: Path) -> None:
    (root / ".dvc/.gitignore").unlink()
    with pytest.raises(RemoteError, match="git does not ignore"):
        set_remote(root, "gs://shelf/p", Access(anonymous=True))
    assert written(root)[1] == ""
