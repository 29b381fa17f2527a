"""`proofline checkpoints grace`: the time for a last checkpoint, from its size and what the place takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.checkpoints.grace import Grace, GraceError
from proofline.cli import main
from proofline.config import load_environment


@given(
    num_bytes=st.integers(1, 10**13), rate=st.floats(1e5, 1e11), machines=st.integers(1, 64),
    step=st.floats(0, 120), put_off=st.floats(0.5, 600),
)  # fmt: skip
def test_what_is_advised_is_enough(num_bytes: int, rate: float, machines: int, step: float, put_off: float) -> None:
    grace = Grace(num_bytes, rate, machines, step, put_off)
    if grace.needed_seconds <= put_off:
        assert grace.says().startswith("enough: ")
        return
    with pytest.raises(GraceError) as raised:
        grace.says()
    words = str(raised.value)
    seconds = words.partition("PROOFLINE_GRACE_SECONDS=")[2].split()[0]
    longer = load_environment({"PROOFLINE_GRACE_SECONDS": seconds}, Path("/nowhere")).put_off_seconds
    assert Grace(num_bytes, rate, machines, step, longer).says()
    if " machines that write a share each" in words:
        more = int(words.partition(" machines that write")[0].split()[-1])
        assert more > machines
        assert Grace(num_bytes, rate, more, step, put_off).needed_seconds <= put_off * (1 + 1e-9)
    else:
        assert step >= put_off


def test_the_command_measures_the_place_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    assert main(["checkpoints", "grace"]) == 1
    assert "say how large it is, --parameters" in capsys.readouterr().err
    assert main(["checkpoints", "grace", "--parameters", "1e5"]) == 0
    assert capsys.readouterr().out.startswith("enough: 1.2 MB by 1 machines at ")
    assert main(["checkpoints", "grace", "--parameters", "1e5", "--step-seconds", "25"]) == 1
    assert "SIGTERM is put off for 20 s. Any of these helps: PROOFLINE_GRACE_SECONDS=" in capsys.readouterr().err
    assert not [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]
