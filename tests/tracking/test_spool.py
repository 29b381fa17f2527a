"""The spool's promise: every complete line is an event, and nothing that is no number becomes a metric."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.records import Decoding
from proofline.tracking.mlflow_run import chunks, spell
from proofline.tracking.spool import Spool, leaves, read_events


def test_a_line_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"kind": "tag", "name": "a"}\n{"kind": "ta')
    events, offset = read_events(path)
    assert [event["name"] for event in events] == ["a"]
    with open(path, "ab") as lines:
        lines.write('g", "name": "é"}\n'.encode())
    events, end = read_events(path, offset)
    assert [event["name"] for event in events] == ["é"]
    assert read_events(path, end) == ([], end)


@given(st.dictionaries(st.text(min_size=1), st.floats(), min_size=1))
def test_metrics_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: dict[str, float]) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "run.jsonl")
    spool.log_metrics(values, step=3)
    (event,), _ = read_events(spool.path)
    assert event["step"] == 3
    for name, value in values.items():
        assert event["values"][name] == value or math.isnan(value)


def test_a_metric_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"metric 'data\.verdict' is 'good', not a number"):
        Spool(tmp_path / "run.jsonl").log_metrics({"data": {"verdict": "good"}})


def test_sections_become_dotted_names() -> None:
    decoding = Decoding(temperature=0.5, top_p=1.0, max_new_tokens=8)
    flat = dict(leaves({"decoding": decoding, "seed": 0, "deep": {"er": {"x": None}}}))
    assert flat == {
        "decoding.temperature": 0.5, "decoding.top_p": 1.0, "decoding.max_new_tokens": 8, "seed": 0, "deep.er.x": None,
    }  # fmt: skip


def test_a_step_waits_neither_for_the_disk_nor_for_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs is measured by `benchmarks/tracking.py`."""
    spool = Spool(tmp_path / "run.jsonl")
    for waiting in ("os.fsync", "socket.socket", "subprocess.Popen", "time.sleep"):
        monkeypatch.setattr(waiting, lambda *_, **__: pytest.fail("waited"))
    for step in range(1000):
        spool.log_metrics({"loss": 0.5, "learning_rate": 1e-4, "grad_norm": 1.0}, step=step)
    assert len(read_events(spool.path)[0]) == 1000


@settings(deadline=None)  # the first example imports MLflow
@given(st.text())
def test_spelled_names_are_ones_mlflow_takes(name: str) -> None:
    from mlflow.utils.validation import validate_param_and_metric_name

    assert validate_param_and_metric_name(spell(name)) or not name


def test_names_keep_their_meaning() -> None:
    assert spell("pass@8") == "pass_at_8"
    assert spell("rewards/chosen") == "rewards/chosen"


@given(st.lists(st.integers()), st.integers(1, 5))
def test_chunks_lose_nothing(values: list[int], size: int) -> None:
    parts = list(chunks(values, size))
    assert [value for part in parts for value in part] == values
    assert all(1 <= len(part) <= size for part in parts)
