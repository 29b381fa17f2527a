"""What cannot be read is told by its cause; only what is not there is called absent."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import make_checkout, tried

from proofline.storage.remote import ReadError, exists, read_lines

Refusing = Callable[[int, str], str]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("checkout") / "copy", "real-cpu")


def prepare(checkout: Path, root: str, endpoint: str) -> str:
    """What the first stage says about a data root that it cannot read."""
    settings = {"PYTHONPATH": str(checkout / "src"), "PROOFLINE_DATA_ROOT": root, "STORAGE_EMULATOR_HOST": endpoint}
    done = tried([sys.executable, "stages/prepare.py"], checkout, **settings)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("prepare.py: ")]
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "ada@example.com does not have storage.objects.get access to the object."),
        (401, "Anonymous caller does not have storage.objects.get access."),
        (400, "User project specified in the request is invalid."),
    ],
)
def test_a_bucket_that_refuses_is_told_in_its_words(
    checkout: Path, refusing: Refusing, status: int, message: str
) -> None:
    told = prepare(checkout, "gs://shelf/sets", refusing(status, message))
    assert told.startswith("prepare.py: gs://shelf/sets/gsm8k_train.jsonl.gz cannot be read: ")
    assert message in told
    assert "docs/remote.md" in told
    assert "PROOFLINE_DATA_ROOT" not in told, "the folder is the right one"


@pytest.mark.slow
def test_a_bucket_that_nobody_answers_for_is_told(checkout: Path, silent: str) -> None:
    told = prepare(checkout, "gs://shelf/sets", silent)
    assert f"cannot be read: Cannot connect to host {silent.removeprefix('http://')}" in told


@pytest.mark.slow
def test_a_bucket_without_the_file_is_told_as_that(checkout: Path, bucket: str) -> None:
    told = prepare(checkout, "gs://shelf/sets", bucket)
    assert told.startswith("prepare.py: no gs://shelf/sets/gsm8k_train.jsonl.gz or gs://shelf/sets/gsm8k_train.jsonl; ")
    assert "PROOFLINE_DATA_ROOT" in told


@pytest.mark.slow
def test_a_bucket_that_does_not_exist_is_no_missing_file(checkout: Path, bucket: str) -> None:
    told = prepare(checkout, "gs://shelv/sets", bucket)
    assert told.startswith("prepare.py: there is no bucket gs://shelv, where gs://shelv/sets/gsm8k_train.jsonl.gz is ")
    assert "PROOFLINE_DATA_ROOT" in told


@pytest.mark.parametrize("path", ["s3://shelf/t.jsonl", "nosuch://shelf/t.jsonl"])
def test_a_store_of_another_kind_is_told(path: str) -> None:
    with pytest.raises(ReadError, match=rf"{path} cannot be read: .*(s3fs|not known)"):
        exists(path)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a": 1}\n' * 9999)
    for name, content in (("cut.gz", packed[:-20]), ("none.gz", b"not packed"), ("latin.jsonl", "é".encode("latin-1"))):
        (tmp_path / name).write_bytes(content)
        assert exists(str(tmp_path / name))
        with pytest.raises(ReadError, match=rf"{name} cannot be read: .*Is it whole"):
            list(read_lines(str(tmp_path / name)))


def test_only_files_are_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    there = [exists(str(tmp_path / name)) for name in ("file", "folder", "absent", "file/below")]
    assert there == [True, False, False, False]


@pytest.mark.slow
def test_every_python_of_the_environment_is_told_about_gcsfs() -> None:
    """`proofline.pth`, which is installed with the package: DVC reads no other setting of ours."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GCSFS_")}
    ask = "import gcsfs; print(gcsfs.GCSFileSystem.__module__)"
    for path in ("", str(Path(__file__).parent)):
        done = subprocess.run(
            [sys.executable, "-c", ask], env=variables | {"PYTHONPATH": path}, capture_output=True, text=True
        )
        assert done.stdout == "gcsfs.core\n", "install the package again: `make setup`"
