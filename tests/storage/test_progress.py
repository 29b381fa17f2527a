"""What DVC draws on a terminal can be read in a log."""

from __future__ import annotations

import io
import os
import sys

import pytest

from proofline.storage.progress import Thinned, visible_progress


def test_bars_become_a_line_now_and_then_and_sentences_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's own bars, one within the other, as a push draws them."""
    now, log = 0.0, io.StringIO()
    monkeypatch.setenv("DVC_IGNORE_ISATTY", "1")
    stream = Thinned(log, seconds=10.0, clock=lambda: now)
    monkeypatch.setattr(sys, "stderr", stream)
    from dvc.progress import Tqdm

    with Tqdm(total=40, desc="Pushing to gs", unit="file", mininterval=0) as outer:
        for number in range(40):
            with Tqdm(total=100, desc=f"file {number}", mininterval=0) as inner:
                inner.update(100)
            outer.update()
            now += 1.0
            if number == 20:
                print("ERROR: a sentence", file=sys.stderr)
    lines = log.getvalue().splitlines()
    assert "ERROR: a sentence" in lines
    assert 4 <= len(lines) <= 6
    assert any("Pushing to gs" in line for line in lines)
    assert not set("\r\x1b") & set(log.getvalue())


def test_only_inside_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    before = sys.stderr
    with visible_progress():
        assert os.environ["DVC_IGNORE_ISATTY"] == "1"
        print("half a line", end="", file=sys.stderr)
    assert sys.stderr is before
    assert "DVC_IGNORE_ISATTY" not in os.environ
    assert before.getvalue() == "half a line\n"
