"""A stage of many shards that is killed goes on with what it has not finished, and writes what an undisturbed one does.

Stages are real processes here, forked from this one, which has loaded what they need; they are killed by SIGKILL.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
from checkout import PATIENCE_SECONDS
from graded_rows import PROBLEM

from proofline.checkpoints.bucket import Bucket
from proofline.checkpoints.cadence import FIRST_SECONDS
from proofline.checkpoints.folder import Folder
from proofline.checkpoints.pieces import Pieces
from proofline.config import Environment
from proofline.config.schema import Prompts, Verification, Writing
from proofline.data.synthetic import generate_problems
from proofline.data.traces import Asked
from proofline.launch import keeping, spread
from proofline.launch.kept import LEAST_SECONDS, MOST_WAITING, Kept
from proofline.records import Decoding, Problem, Solution
from proofline.records import Verification as Score
from proofline.storage.artifacts import write_json
from proofline.storage.records import write_records
from proofline.tracking import NullRun
from proofline.tracking.progress import drawing

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
from small_checkpoints import ended, in_fork, killed_at

PROMPTS = Prompts(solution="{question}", verification="{question}\n{candidate}")
WARM = Decoding(temperature=0.9, top_p=0.95, max_new_tokens=12)
NUMBERS = list(range(40))


def settings(root: Path, processes: int = 1, **others: object) -> Environment:
    """A piece a shard."""
    launcher = "local" if processes == 1 else "accelerate"
    given = {"launcher": launcher, "processes": processes, "threads": 1, "save_steps": 1, "sampling_rows": 8}
    return Environment.model_validate({**given, "checkpoints": str(root), **others})


class Told(NullRun):
    """A run that remembers its tags."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def set_tag(self, name: str, value: str) -> None:
        self.tags[name] = value


def solutions(trace: Path, shard: Sequence[int]) -> list[Solution]:
    """Invented ones, two a number; the shard is noted."""
    with open(trace, "a") as lines:
        lines.write(f"{shard[0]}\n")
    return [
        Solution(
            id=f"{number}-{index}", problem_id="p", policy="sft", weights="w", decoding=WARM, sample_index=index,
            seed=2**63 + number, text=f"{number} é\u2028\x00\n", num_tokens=number, logprob=-number / 3, finished=True,
        )
        for number in shard
        for index in (0, 1)
    ]  # fmt: skip


def draw(root: Path, numbers: Sequence[int] = NUMBERS, run: Told | None = None, **others: object) -> Path:
    """A stage: its shards of two numbers and its out."""
    environment = settings(root / "checkpoints", **others)
    function = partial(solutions, root / "computed")
    with keeping("sample", {"seed": 0}, [], environment, run or Told(), "sft") as kept:
        part = kept(Solution)
        rows = spread(function, numbers, environment, shard_size=2, each="machine", kept=part)
        write_records(root / "out.jsonl", rows)
    return root / "out.jsonl"


def computed(root: Path) -> list[str]:
    return (root / "computed").read_text().split() if (root / "computed").exists() else []


def pieces(root: Path, stage: str = "sample_sft") -> list[Path]:
    return sorted((root / "checkpoints" / stage).glob("*/piece-*.json"))


def in_stage(work: Callable[[], object]) -> int:
    return ended(in_fork(lambda: work() and None))


@pytest.fixture
def undisturbed(tmp_path: Path) -> bytes:
    (tmp_path / "whole").mkdir()
    return draw(tmp_path / "whole").read_bytes()


def cut_at(root: Path, line: int) -> None:
    killed_at(line)
    draw(root)


def test_a_stage_killed_anywhere_ends_with_the_bytes_of_an_undisturbed_one(tmp_path: Path, undisturbed: bytes) -> None:
    """At any line of the code that keeps, again and again; what was kept is not computed again.

    But for a stage that was killed when its out was there, and pieces were being removed.
    """
    source = random.Random(0)
    for trial in range(4):
        root, most = tmp_path / str(trial), 20
        root.mkdir()
        while (status := in_stage(partial(cut_at, root, source.randrange(1, 200 * most - 2000)))) == -signal.SIGKILL:
            most += 20 if (root / "out.jsonl").exists() else 1
        assert status == 0
        assert (root / "out.jsonl").read_bytes() == undisturbed
        assert not list((root / "checkpoints").rglob("*.*")), "gone after success"
        assert set(computed(root)) == {str(number) for number in NUMBERS[::2]}
        assert len(computed(root)) <= most


def stop(root: Path, at: int) -> None:
    """A stage that is killed in the shard that begins with this number."""

    def deadly(shard: Sequence[int]) -> list[Solution]:
        if at in shard:
            os.kill(os.getpid(), signal.SIGKILL)
        return solutions(root / "computed", shard)

    environment = settings(root / "checkpoints")
    with keeping("sample", {"seed": 0}, [], environment, Told(), "sft") as kept:
        list(spread(deadly, NUMBERS, environment, shard_size=2, each="machine", kept=kept(Solution)))


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Where a stage was killed after ten of its twenty shards."""
    assert in_stage(partial(stop, tmp_path, 20)) == -signal.SIGKILL
    assert len(pieces(tmp_path)) == len(computed(tmp_path)) == 10
    return tmp_path


def test_the_run_and_the_progress_say_what_was_taken_up(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Told()
    draw(stopped, run=run)
    assert "checkpoints: 10 of 20 shards were finished by an interrupted run" in capsys.readouterr().err
    assert run.tags == {"proofline.taken_up": "10 shards"}
    assert len(computed(stopped)) == 20
    assert drawing(80, 40)() == "40 to do, 40 done by an interrupted run"
    assert drawing(80)() == "80 to do"
    again = Told()
    draw(stopped, run=again)
    assert not again.tags


@pytest.mark.parametrize("how", ["a byte", "cut off", "foreign", "nothing"])
def test_a_damaged_or_foreign_piece_is_told_and_computed_again(
    how: str, stopped: Path, undisturbed: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    third, fourth = pieces(stopped)[2:4]
    content = third.read_bytes()
    at = random.Random(how).randrange(len(content))
    third.write_bytes(
        {
            "a byte": content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :],
            "cut off": content[:at],
            "foreign": fourth.read_bytes(),
            "nothing": b"",
        }[how]
    )
    assert draw(stopped).read_bytes() == undisturbed
    said = capsys.readouterr().err
    assert f"{third} is not used, its shards are computed again: it" in said
    assert said.count("is not used") == 1
    assert len(computed(stopped)) == 21


@pytest.mark.parametrize("others", [{"sampling_rows": 9}, {"instructions": "native"}], ids=lambda one: next(iter(one)))
def test_what_other_arithmetic_has_drawn_is_not_taken_up(others: dict[str, object], stopped: Path) -> None:
    draw(stopped, **others)
    assert len(computed(stopped)) == 30
    part = Kept(Pieces(Folder(stopped / "none"), "sample", "0" * 16), {}, Told()).part(Solution)
    assert part.key([1], threads=1) != part.key([1], threads=2)


def test_another_recipe_neither_takes_it_up_nor_removes_it(tmp_path: Path) -> None:
    """Nor other inputs; what lies there is that of the first, to the byte."""
    (tmp_path / "problems").write_text("one")

    def stage(seed: int, fails: bool = False) -> None:
        environment = settings(tmp_path / "checkpoints")
        with keeping("sample", {"seed": seed}, [str(tmp_path / "problems")], environment, Told()) as kept:
            function, part = partial(solutions, tmp_path / "computed"), kept(Solution)
            list(spread(function, [1, 2], environment, shard_size=1, each="machine", kept=part))
            if fails:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(seed=0, fails=True)
    before = {path: path.read_bytes() for path in pieces(tmp_path, "sample")}
    assert len(before) == 2
    stage(seed=1)
    (tmp_path / "problems").write_text("other")
    stage(seed=0)
    assert len(computed(tmp_path)) == 6
    assert {path: path.read_bytes() for path in pieces(tmp_path, "sample")} == before
    (tmp_path / "problems").write_text("one")
    stage(seed=0)
    assert len(computed(tmp_path)) == 6
    assert not pieces(tmp_path, "sample")


def test_other_items_of_the_same_stage_are_computed(stopped: Path) -> None:
    """Whoever cuts or chooses them: a shard is found by what it was computed from."""
    draw(stopped, numbers=[0, 1, 2, 5, *NUMBERS[6:10]])
    assert computed(stopped)[10:] == ["2"]


def test_a_stage_of_seconds_keeps_nothing_and_a_longer_one_as_often_as_it_costs_little(tmp_path: Path) -> None:
    now = [0.0]

    class Slow(Pieces):
        def write(self, *given: object, **named: object) -> None:
            super().write(*given, **named)
            now[0] += 2.0

    kept = Kept(Slow(Folder(tmp_path), "sample", "0" * 16), {}, Told(), clock=lambda: now[0])
    for shard in range(400):
        now[0] += 1.0
        kept.put(1, lambda shard=shard: (str(shard), ["1"]))
        kept.interrupted() if shard == 20 else None
    first, second = (kept.pieces.read(number) for number in (1, 2))
    assert first.shards.keys() == {str(shard) for shard in range(int(FIRST_SECONDS))}
    assert len(second.shards) == 200 > LEAST_SECONDS, "two seconds are one per cent"
    assert kept.pieces.numbers() == [2, 1]
    kept.interrupted()
    assert len(kept.pieces.read(3).shards) == 400 - 260


def test_no_more_than_a_bounded_number_of_results_waits(tmp_path: Path) -> None:
    """In the first minute the oldest are let go, later they make a piece before its time."""
    now = [0.0]
    kept = Kept(Pieces(Folder(tmp_path), "grade", "0" * 16), {}, Told(), clock=lambda: now[0])
    for shard in range(8):
        kept.put(MOST_WAITING // 3, lambda shard=shard: (str(shard), ["1"]))
    now[0] = FIRST_SECONDS
    kept.put(1, lambda: ("first", ["1"]))
    for shard in range(8, 12):
        kept.put(MOST_WAITING // 3, lambda shard=shard: (str(shard), ["1"]))
    pieces = [set(kept.pieces.read(number).shards) for number in (1, 2)]
    assert pieces == [{"5", "6", "7", "first"}, {"8", "9", "10", "11"}]


def test_in_a_bucket_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: bytes) -> None:
    """The folder of this machine has its lock, and no piece."""
    gcs = pytest.importorskip("gcs", reason="the bucket for tests")
    monkeypatch.chdir(tmp_path)
    with gcs.serve(gcs.Store("shelf")) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        environment = settings(Path("none")).model_copy(update={"checkpoints": "gs://shelf/kept"})
        for ends in (True, False):
            with pytest.raises(KeyboardInterrupt) if ends else nullcontext():  # noqa: SIM117 - in this order
                with keeping("sample", {}, [], environment, Told()) as kept:
                    function, part = partial(solutions, tmp_path / "computed"), kept(Solution)
                    rows = spread(function, NUMBERS, environment, shard_size=2, each="machine", kept=part)
                    if ends:
                        list(islice(rows, 9))
                        raise KeyboardInterrupt
                    write_records("out.jsonl", rows)
            assert not list(tmp_path.rglob("piece-*"))
            assert len(Bucket("gs://shelf/kept").names()) == (3 if ends else 0)
    assert Path("out.jsonl").read_bytes() == undisturbed
    assert len(computed(tmp_path)) == 20


def test_none_are_kept_where_none_are_wanted(tmp_path: Path) -> None:
    environment = settings(tmp_path).model_copy(update={"checkpoints": "none"})
    with keeping("sample", {}, [], environment, Told()) as kept:
        assert kept(Solution) is None


def without_room(root: Path) -> None:
    """A piece says what it was made by, and that is more than there is room for."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    environment = settings(root)
    with keeping("sample", {"prompts": "…" * 20_000}, [], environment, Told()) as kept:
        function, part = partial(solutions, Path(os.devnull)), kept(Solution)
        assert len(list(spread(function, NUMBERS, environment, shard_size=2, each="machine", kept=part))) == 80


def test_a_disk_without_room_for_pieces_ends_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert in_stage(partial(without_room, tmp_path)) == 0
    assert "checkpoints: 1 shards are not kept in /" in capfd.readouterr().err


# Several processes


def late(gate: Path, trace: Path, shard: Sequence[int]) -> list[Solution]:
    """The first shard waits until it may end, or until its stage is killed."""
    while 0 in shard and not gate.exists():
        time.sleep(0.01)
    return solutions(trace, shard)


def draw_late(root: Path, gate: Path) -> None:
    environment = settings(root / "checkpoints", processes=2)
    with keeping("sample", {"seed": 0}, [], environment, Told(), "sft") as kept:
        function = partial(late, gate, root / "computed")
        write_records(root / "out.jsonl", spread(function, NUMBERS, environment, shard_size=2, kept=kept(Solution)))


@pytest.mark.slow
def test_what_any_process_has_finished_counts(tmp_path: Path, undisturbed: bytes) -> None:
    """One of two is still at the first shard when the stage is killed; all the others are kept."""
    stage = in_fork(partial(draw_late, tmp_path, tmp_path / "gate"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(pieces(tmp_path)) < 19:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(stage, signal.SIGKILL)
    assert ended(stage) == -signal.SIGKILL
    draw_late(tmp_path, tmp_path)
    assert (tmp_path / "out.jsonl").read_bytes() == undisturbed
    assert sorted(computed(tmp_path), key=int) == [str(number) for number in NUMBERS[::2]]


# What is really drawn


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(generate_problems("dev", 24, seed=0))


def draw_and_verify(root: Path, policy: Path, problems: list[Problem], die: int = -1) -> None:
    """A stage that samples two solutions a problem, verifies them, and has the policy write on them. It is killed in
    its so manieth shard."""
    from proofline.sampling.policy import sample_solutions
    from proofline.verification import verify
    from proofline.verification.write import write_chains

    section = Verification(policy="sft", num_chains=2, temperature=0.9, top_p=0.95, max_new_tokens=8)
    environment = settings(root / "checkpoints")
    sample = partial(sample_solutions, policy, "sft", prompts=PROMPTS, decoding=WARM, num_samples=2, run_seed=0, rows=8)
    score = partial(verify, policy, prompts=PROMPTS, section=section, run_seed=0, rows=8)
    writing = Writing(attempts=2, temperature=0.9, top_p=0.95, max_new_tokens=8, teacher="none")
    write = partial(write_chains, policy, prompts=PROMPTS, section=writing, run_seed=0, rows=8)
    left = [die]

    def mortal(function: Callable[[Sequence[object]], list[object]], shard: Sequence[object]) -> list[object]:
        results = function(shard)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    with keeping("evaluate", {}, [str(policy)], environment, Told()) as kept:
        part = kept(Solution, WARM, PROMPTS)
        drawn = list(spread(partial(mortal, sample), problems, environment, shard_size=8, kept=part))
        asked = [(PROBLEM, solution, "wrong") for solution in drawn]
        scores = spread(partial(mortal, score), asked, environment, shard_size=16, kept=kept(Score, section))
        write_records(root / "scores.jsonl", scores)
        asked = [Asked(solution.id, PROBLEM.question, solution.text) for solution in drawn]
        chains = spread(partial(mortal, write), asked, environment, shard_size=16, kept=kept(list[str], writing))
        write_json(root / "chains.json", list(chains))
        write_records(root / "out.jsonl", drawn)


def test_samples_and_verifications_of_a_killed_stage_are_those_of_an_undisturbed_one(
    tiny_policy: Path, problems: list[Problem], tmp_path: Path
) -> None:
    """To the bit: each shard is decoded together as it would have been, whatever was decoded before it."""
    from proofline.launch.work import take_place
    from proofline.sampling.policy import shared_sampler

    take_place(1)
    shared_sampler(tiny_policy, 8)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    assert in_stage(partial(draw_and_verify, tmp_path / "whole", tiny_policy, problems)) == 0
    statuses = [
        in_stage(partial(draw_and_verify, tmp_path / "killed", tiny_policy, problems, die)) for die in (2, 1, 3, 2)
    ]
    assert statuses == [-signal.SIGKILL] * 4
    assert in_stage(partial(draw_and_verify, tmp_path / "killed", tiny_policy, problems)) == 0
    for name in ("out.jsonl", "scores.jsonl", "chains.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
