"""The bucket that the tests use is one that Google's client and gcsfs take for real, faults included."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from gcs import Fault, Server, Store, serve
from gcs.objects import QUANTUM, crc32c_of

CONTENT = os.urandom(3 * QUANTUM + 17)
CHUNKS = r"(POST|PUT) /upload/.*upload_id="


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Store("shelf", bare_lines=True)) as server:
        yield server


@pytest.fixture
def bucket(server: Server) -> Any:
    """`shelf` as google-cloud-storage has it."""
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    options = ClientOptions(api_endpoint=server.url)
    return storage.Client("project", AnonymousCredentials(), client_options=options).bucket("shelf")


@pytest.fixture
def files(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same bucket as gcsfs has it."""
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    from gcsfs import GCSFileSystem

    return GCSFileSystem(endpoint_url=server.url, token="anon", skip_instance_cache=True, use_listings_cache=False)


def in_chunks(bucket: Any, name: str, **options: Any) -> Any:
    """A resumable upload."""
    from io import BytesIO

    blob = bucket.blob(name, chunk_size=QUANTUM)
    blob.upload_from_file(BytesIO(CONTENT), checksum="crc32c", **options)
    return blob


def test_what_one_client_writes_the_other_reads(bucket: Any, files: Any) -> None:
    files.pipe_file("shelf/a/small", CONTENT, consistency="md5", content_type="text/x-proof")
    files.pipe_file("shelf/a/large", CONTENT, consistency="md5", chunksize=2 * QUANTUM)
    small, large = bucket.get_blob("a/small"), bucket.get_blob("a/large")
    assert (small.size, small.content_type, small.crc32c) == (len(CONTENT), "text/x-proof", crc32c_of(CONTENT))
    assert small.generation < large.generation
    assert large.download_as_bytes() == CONTENT
    assert large.download_as_bytes(start=5, end=9) == CONTENT[5:10]
    bucket.blob("b").upload_from_string(b"", checksum="md5")
    in_chunks(bucket, "c/\N{GREEK SMALL LETTER PI} %2F?#")
    assert files.cat_file("shelf/c/\N{GREEK SMALL LETTER PI} %2F?#", start=-20) == CONTENT[-20:]
    assert files.cat_file("shelf/b") == b""
    assert files.find("shelf") == [
        "shelf/a/large",
        "shelf/a/small",
        "shelf/b",
        "shelf/c/\N{GREEK SMALL LETTER PI} %2F?#",
    ]
    assert sorted(files.ls("shelf", detail=False)) == ["shelf/a", "shelf/b", "shelf/c"]
    with pytest.raises(FileNotFoundError):
        files.info("shelf/a/none")


def test_listings_come_in_pages(bucket: Any, server: Server) -> None:
    for name in ("a/1", "a/2", "b", "c/1", "d/x/1", "d/x/2"):
        bucket.blob(name).upload_from_string(name)
    pages = bucket.list_blobs(delimiter="/", page_size=2)
    assert [blob.name for blob in pages] == ["b"]
    assert pages.prefixes == {"a/", "c/", "d/"}
    assert [blob.name for blob in bucket.list_blobs(prefix="d/x", page_size=1)] == ["d/x/1", "d/x/2"]
    assert sum("pageToken" in line for line in server.requests) == 2


def test_copies_moves_and_parts(bucket: Any, files: Any) -> None:
    files.pipe({"shelf/a": b"one ", "shelf/b": b"two"})
    files.cp_file("shelf/a", "shelf/copy")
    files.mv_file("shelf/copy", "shelf/moved")
    whole = bucket.blob("whole")
    whole.compose([bucket.blob("moved"), bucket.blob("b")])
    assert whole.download_as_bytes() == b"one two"
    whole.reload()
    assert (whole.md5_hash, whole.component_count, whole.crc32c) == (None, 2, crc32c_of(b"one two"))
    assert not files.exists("shelf/copy")
    files.rm("shelf/b")
    assert files.find("shelf") == ["shelf/a", "shelf/moved", "shelf/whole"]


def test_one_of_two_writers_wins(bucket: Any, files: Any) -> None:
    from google.api_core.exceptions import PreconditionFailed

    bucket.blob("manifest").upload_from_string("first", if_generation_match=0)
    for late in (lambda: bucket.blob("manifest").upload_from_string("second", if_generation_match=0),
                 lambda: in_chunks(bucket, "manifest", if_generation_match=0)):  # fmt: skip
        with pytest.raises(PreconditionFailed):
            late()
    with pytest.raises(FileExistsError):
        files.pipe_file("shelf/manifest", b"third", mode="create")
    blob = bucket.get_blob("manifest")
    assert blob.download_as_bytes() == b"first"
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=blob.generation + 1)
    blob.delete(if_generation_match=blob.generation)
    assert not blob.exists()


def test_a_checksum_that_is_wrong_is_refused(bucket: Any, server: Server) -> None:
    from google.api_core.exceptions import BadRequest

    server.faults.append(Fault("corrupt", "POST /upload/.*multipart"))
    with pytest.raises(BadRequest, match="doesn't match calculated"):
        bucket.blob("a").upload_from_string(CONTENT, checksum="crc32c")
    assert not server.store.buckets["shelf"]


def test_parts_divided_by_line_feeds_alone_are_taken_only_where_that_is_said(server: Server) -> None:
    """Google's service takes them, its storage-testbench does not."""
    body = b'--x\nContent-Type: application/json\n\n{"name": "a"}\n--x\nContent-Type: text/plain\n\nb\n\n--x--'

    def sent(content: bytes) -> int:
        place, kind = f"{server.url}/upload/storage/v1/b/shelf/o?uploadType=multipart", "multipart/related; boundary=x"
        request = urllib.request.Request(place, content, {"Content-Type": kind}, method="POST")
        return int(urllib.request.urlopen(request, timeout=60).status)

    assert sent(body) == 200
    server.store.bare_lines = False
    with pytest.raises(urllib.error.HTTPError, match="400"):
        sent(body)
    assert server.store.buckets["shelf"]["a"].content == b"b\n"
    assert sent(body.replace(b"\n", b"\r\n")) == 200
    assert server.store.buckets["shelf"]["a"].content == b"b\r\n"


@pytest.mark.parametrize("kind", ["status", "lost", "broken", "stalled"])
def test_an_upload_goes_on_after_a_fault(bucket: Any, server: Server, kind: Any) -> None:
    server.faults.append(Fault(kind, CHUNKS, skip=1))
    in_chunks(bucket, "a", if_generation_match=0, timeout=2)
    assert server.store.buckets["shelf"]["a"].content == CONTENT


@pytest.mark.parametrize("kind", ["broken", "cut", "corrupt"])
def test_a_download_that_is_damaged_is_found(bucket: Any, server: Server, kind: Any) -> None:
    bucket.blob("a").upload_from_string(CONTENT)
    server.faults.append(Fault(kind, "alt=media", times=9))
    with pytest.raises(Exception, match=r"(?i)checksum|broken|incomplete"):
        bucket.blob("a").download_as_bytes(retry=None)


def test_the_rest_is_sent_where_only_part_was_kept(files: Any, server: Server) -> None:
    server.faults.append(Fault("partial", CHUNKS))
    files.pipe_file("shelf/a", CONTENT, chunksize=2 * QUANTUM, consistency="md5")
    assert server.store.buckets["shelf"]["a"].content == CONTENT


def test_a_token_that_expires_is_renewed(server: Server) -> None:
    from google.api_core.client_options import ClientOptions
    from google.cloud import storage
    from google.oauth2.credentials import Credentials

    renewed = {"refresh_token": "r", "token_uri": f"{server.url}/token", "client_id": "i", "client_secret": "s"}
    client = storage.Client(
        "project", Credentials(None, **renewed), client_options=ClientOptions(api_endpoint=server.url)
    )
    server.tokens = set()
    server.faults.append(Fault("expired", CHUNKS, skip=1))
    in_chunks(client.bucket("shelf"), "a", if_generation_match=0)
    assert server.store.buckets["shelf"]["a"].content == CONTENT
    assert server.requests.count("POST /token") >= 2
