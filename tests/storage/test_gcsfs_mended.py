"""What is sent in one request arrives at servers that go by RFC 2046, whatever stands in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from gcs import Server, Store, serve

from proofline.storage.gcsfs_mended import mend_gcsfs

CONTENTS = [b"", b"a\n", b"first\n--==0==\nsecond\r\n--==0==--", os.urandom(10_000)]
"""gcsfs itself divides a request by `--==0==`."""


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Store("shelf")) as server:
        yield server


@pytest.fixture
def files(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    from gcsfs import GCSFileSystem

    monkeypatch.setattr(GCSFileSystem, "_call", GCSFileSystem._call)  # for this test alone
    return GCSFileSystem(endpoint_url=server.url, token="anon", skip_instance_cache=True, use_listings_cache=False)


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_any_content_arrives_whole(files: Any, content: bytes) -> None:
    mend_gcsfs()
    mend_gcsfs()
    files.pipe_file("shelf/a", content, metadata={"by": "ada"}, content_type="text/x-proof", consistency="md5")
    assert files.cat_file("shelf/a") == content
    found = files.info("shelf/a")
    assert (found["size"], found["contentType"], found["metadata"]) == (len(content), "text/x-proof", {"by": "ada"})
    with pytest.raises(FileExistsError):
        files.pipe_file("shelf/a", b"another", mode="create")
