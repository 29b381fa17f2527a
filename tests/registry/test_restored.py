"""A registry filled on a machine that has trained nothing: what it registers came out of a bucket."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from gcs import Store, serve
from small_repository import SmallRepository, commit, copied

pytestmark = pytest.mark.slow


def test_the_registry_fills_from_what_a_bucket_gives_back(trained: SmallRepository, tmp_path: Path) -> None:
    first, second = copied(trained, tmp_path / "first"), SmallRepository(tmp_path / "second")
    with serve(Store("shelf")) as server:
        remote = ("proofline", "remote", "set", "gs://shelf/proofline", "--anonymous", "--endpoint", server.url)
        first.run(*remote)
        commit(first, "the remote")
        assert "byte for byte" in first.run("proofline", "push").stdout
        subprocess.run(["git", "clone", "-q", str(first.root), str(second.root)], check=True)
        second.run(*remote)
        assert "Running stage" not in second.run("dvc", "repro", "--pull").stdout
        assert not (second.root / "mlflow.db").exists(), "no run was made, so nothing was trained"
        for policy in ("dpo", "genrm"):
            said = second.registry("register", policy).stdout
            assert said == f"models/{policy} is version 1, the candidate\n"
        second.registry("promote", "dpo")
        mine, theirs = second.version("dpo", "champion"), first.version("dpo")
        assert mine.tags["proofline.weights"] == theirs.tags["proofline.weights"]
        assert second.loads("models:/proofline-dpo@champion").returncode == 0
