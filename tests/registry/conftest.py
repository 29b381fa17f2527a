"""An empty SQLite store that the environment points to."""

from __future__ import annotations

from typing import Any

import pytest

from proofline.registry.register import open_registry


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(client, experiment id); MLflow's own functions see the same store."""
    root = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{root}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROOFLINE_TRACKING_URI", uri)
        patch.setenv("DVC_ROOT", str(root))
        opened = open_registry()
        import mlflow

        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield opened
