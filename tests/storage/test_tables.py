"""Tables from a folder and from a bucket, and what is said where there is none."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PATIENCE_SECONDS

from proofline.storage.tables import TableError, find_table, read_table

ROWS = '{"question": "é?", "answer": "#### 1"}\n{"question": "b", "answer": "#### 2"}\n'


def test_packed_and_plain_tables_read_alike(tmp_path: Path) -> None:
    (tmp_path / "plain.jsonl").write_text(ROWS, encoding="utf-8")
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(ROWS.encode()))
    plain, packed = (list(read_table(str(tmp_path), name)) for name in ("plain", "packed"))
    assert [fields for _, fields in plain] == [fields for _, fields in packed]
    assert plain[1] == (f"{tmp_path}/plain.jsonl:2", {"question": "b", "answer": "#### 2"})


def test_a_missing_or_doubled_table_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no .*gsm8k_train\.jsonl\.gz or .*PROOFLINE_DATA_ROOT"):
        find_table(str(tmp_path), "gsm8k_train")
    for suffix in (".jsonl", ".jsonl.gz"):
        (tmp_path / f"t{suffix}").write_text("")
    with pytest.raises(TableError, match=r"both .* remove one"):
        find_table(str(tmp_path), "t")


@pytest.mark.parametrize("line", ["{", "[1]"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(TableError, match=r"t\.jsonl:2: .*one object a line"):
        list(read_table(str(tmp_path), "t"))


def test_a_table_in_a_bucket(bucket: str) -> None:
    """In a process of its own, as a stage is: gcsfs reads its settings once, at import."""
    script = f"""
import fsspec, gzip, hashlib
from proofline.storage.remote import read_byte_lines, sha256
from proofline.storage.tables import TableError, located, read_table
try:
    next(read_table("gs://shelf/sets", "t"))
except TableError as error:
    assert "PROOFLINE_DATA_ROOT" in str(error)
with fsspec.open("gs://shelf/sets/t.jsonl.gz", "wb") as out:
    out.write(gzip.compress({ROWS!r}.encode()))
fsspec.url_to_fs("gs://shelf")[0].invalidate_cache()
rows = list(read_table("gs://shelf/sets/", "t"))
assert [fields["question"] for _, fields in rows] == ["é?", "b"], rows
assert rows[0][0] == "gs://shelf/sets/t.jsonl.gz:1", rows
place = located("gs://shelf/sets", "t.jsonl.gz")
assert place == located("/elsewhere", "gs://shelf/sets/t.jsonl.gz") == "gs://shelf/sets/t.jsonl.gz"
assert [*read_byte_lines(place, 100)] == {ROWS!r}.encode().splitlines()
with fsspec.open(place, "rb") as packed:
    assert sha256(place) == hashlib.sha256(packed.read()).hexdigest()
"""
    environment = {name: value for name, value in os.environ.items() if name != "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment | {"STORAGE_EMULATOR_HOST": bucket}, capture_output=True,
        text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
