"""docs/bucket.md is true: its commands run as written, one after the other, on two machines and a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest
from gcs import Store, serve
from machines import Machine, blocks, make_small

pytestmark = pytest.mark.slow


def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    make_small(tmp_path / "first/checkout")
    (tmp_path / "second").mkdir()
    setting, push, clone, verify, repair = blocks("docs/bucket.md")
    with serve(Store("shelf")) as server:
        first = Machine(tmp_path / "first/checkout", server.url).with_origin()
        first.type(setting)
        said = first.type(push)
        assert "gs://shelf/proofline: all 5 objects and 2 runs are there, byte for byte (6.0 MB)" in said
        second = Machine(tmp_path / "second", server.url, first.origin)
        said = second.type(clone)
        assert "Running stage" not in said
        second.folder /= "elsewhere"
        assert not (second.folder / "log").exists()
        assert (second.folder / "weights.bin").read_bytes() == (first.folder / "weights.bin").read_bytes()
        assert "byte for byte" in second.type(verify)
        del server.store.buckets["shelf"][next(iter(server.store.buckets["shelf"]))]
        assert "mended: missing" in first.type(repair)
