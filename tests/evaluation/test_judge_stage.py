"""The stage `judge` with judges that read solutions, on an invented study and a real HTTP server."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED, REPOSITORY
from invented import invent, write_study
from ruamel.yaml import YAML
from solved import shown
from speaking_server import serving

from proofline.records import Judgement
from proofline.storage.records import read_records
from proofline.tracking import NullRun

pytestmark = pytest.mark.slow


class Recording(NullRun):
    """Keeps what a run would be told."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def log_metrics(self, metrics: Any, *args: object, **kwargs: object) -> None:
        self.metrics.update(metrics)


@pytest.fixture
def study(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    write_study(invent(getattr(request, "param", 120)), tmp_path, EMBEDDED)
    shutil.copytree(REPOSITORY / "stages", tmp_path / "stages")
    return tmp_path


def judged(root: Path, kind: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[Any, list[Judgement], Any]:
    """Metrics, rows and the run's metrics of the stage as it stands in the repository."""
    yaml = YAML()
    params = yaml.load((root / "params.yaml").read_text())
    params["judge"]["kind"] = kind
    params["verification"].update(changes)
    with open(root / "params.yaml", "w") as out:
        yaml.dump(params, out)
    run = Recording()
    with monkeypatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(root / "stages")
        patch.setenv("PYTHONPATH", os.environ["PYTHONPATH"])
        patch.setattr("proofline.tracking.track", lambda *_, **__: nullcontext(run))
        runpy.run_path("stages/judge.py", run_name="__main__")
        sys.modules.pop("_checkout")
    metrics = json.loads((root / "reports/judge/metrics.json").read_text())
    return metrics, read_records(root / "reports/judge/judgements.jsonl", Judgement), run.metrics


def fair(request: dict[str, Any]) -> str:
    a, b = ("#### 1" in text for text in shown(request))
    return "[[C]]" if a == b else "[[A]]" if a else "[[B]]"


@pytest.fixture
def judge_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with serving(fair) as server:
        monkeypatch.setenv("PROOFLINE_JUDGE_URL", server.url)
        monkeypatch.setenv("PROOFLINE_ENDPOINT_PRICE_PROMPT", "2.5")
        monkeypatch.setenv("PROOFLINE_ENDPOINT_PRICE_COMPLETION", "10")
        yield server


def test_a_fair_judge_says_what_the_reference_says(
    study: Path, judge_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, by_truth, _ = judged(study, "ground_truth", monkeypatch)
    found, rows, told = judged(study, "endpoint", monkeypatch)
    assert (truth["judge"], found["judge"]) == ("ground_truth", "endpoint")
    assert [row.winner for row in rows] == [row.winner for row in by_truth]
    for policy, rates in found["policies"].items():
        assert rates["overall"] == truth["policies"][policy]["overall"]
        judging = rates["judging"]
        assert judging["agreement"]["value"] == 1.0
        assert (judging["flip_rate"]["value"], judging["position_bias"]["value"]) == (0.0, 0.0)
        assert judging["length_controlled"]["low"] < judging["length_controlled"]["value"]
    for policy, rates in found["policies"].items():
        assert (rates["judge"], truth["policies"][policy]["judge"]) == ("gpt-4o-2024-08-06", "ground_truth")
    different = sum(bool(row.by_order) for row in rows)
    assert 0 < different < len(rows)
    # One question for each order of two different texts; the same texts are the same question.
    assert told["endpoint.requests"] == len(judge_server.requests) <= 2 * different
    assert told["endpoint.cost_usd"] == pytest.approx(len(judge_server.requests) * (10 * 2.5 + 5 * 10) / 1e6)

    asked = len(judge_server.requests)
    before = (study / "reports/judge/judgements.jsonl").read_bytes()
    shutil.rmtree(study / "reports/judge")
    _, _, told = judged(study, "endpoint", monkeypatch)
    assert len(judge_server.requests) == asked
    assert told["endpoint.cost_usd"] == 0.0
    assert (study / "reports/judge/judgements.jsonl").read_bytes() == before


@pytest.mark.parametrize("study", [24], indirect=True, ids=["few problems"])
def test_the_verifier_judges_without_a_network(study: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny_policy, study / "models/genrm")
    changes = {"num_chains": 1, "max_new_tokens": 4}
    found, rows, _ = judged(study, "genrm", monkeypatch, **changes)
    assert len(rows) == 3 * 24
    assert {row.judge for row in rows if row.scores} == {next(row.judge for row in rows)}
    assert rows[0].judge.startswith("genrm ")
    for rates in found["policies"].values():
        assert rates["judging"]["without_verdict"] + rates["judging"]["identical"] == 24, "it has learnt nothing yet"
        assert rates["overall"]["ties"] == rates["judging"]["identical"]
