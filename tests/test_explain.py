"""`proofline explain`: the whole story of a row, and its solutions drawn again, in a small repository."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from checkout import EMBEDDED
from graded_rows import PROBLEM, traced

from proofline.cli import main
from proofline.config import load_params
from proofline.data.candidates import written_candidates
from proofline.data.graded import by_problem, graded
from proofline.data.pairs import build_pairs
from proofline.data.traces import program
from proofline.records import Decoding, Demonstration, Grade, PreferencePair, Solution, VerificationTrace
from proofline.storage.records import read_records, write_records

DECODING = Decoding(temperature=0.9, top_p=1.0, max_new_tokens=12)


@pytest.fixture(scope="module")
def root(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of a policy that is here, two solutions by hand, their grades, a pair and two traces."""
    from proofline.sampling.policy import sample_solutions

    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(tiny_policy, root / "models/sft")
    shutil.copy2(EMBEDDED, root / "params.yaml")
    (root / "dvc.yaml").write_text("stages: {}\n")
    params = load_params(root / "params.yaml")
    solutions = sample_solutions(tiny_policy, "sft", [PROBLEM], params.prompts, DECODING, 2, 0, rows=2)
    problems = {PROBLEM.id: PROBLEM}
    demonstration = Demonstration(
        id="d", problem_id=PROBLEM.id, question=PROBLEM.question, solution=PROBLEM.solution, style="worked"
    )
    made = list(written_candidates(problems, [demonstration], params.traces.corrupted, params.seed))
    grades = [
        Grade(solution_id=row.id, problem_id=PROBLEM.id, verdict="wrong" if at % 2 else "correct", extracted=None,
              reason="made so", grader="test 1.0")
        for at, row in enumerate([*solutions, *made])
    ]  # fmt: skip
    sampled = by_problem([PROBLEM], graded(solutions, grades[:2]))
    traces, _ = traced(problems, graded(made, grades[2:]), {"program": program}, params.traces)
    write_records(root / "data/problems/train.jsonl", problems.values())
    own = Demonstration(**{**demonstration.model_dump(), "id": solutions[0].id, "solution": "restated", "style": "sft"})
    write_records(root / "data/demonstrations.jsonl", [demonstration, own])
    write_records(root / "data/samples/sft.jsonl", solutions)
    write_records(root / "data/grades/sft.jsonl", grades[:2])
    write_records(root / "data/pairs.jsonl", build_pairs(sampled, params.pairs, 0, Counter()))
    write_records(root / "data/traces.jsonl", traces)
    return root


@pytest.fixture
def repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = shutil.copytree(root, tmp_path / "copy")
    monkeypatch.chdir(copy)
    return copy


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


def test_a_pair_tells_its_story_and_is_drawn_again(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = read_records("data/pairs.jsonl", PreferencePair)
    story = told(capsys, "pair", pair.id)
    assert story.count("drawn again: identical") == 2
    for part in (pair.id, "on-policy", "random", "per_problem 2", pair.question, pair.chosen_id, pair.rejected_id,
                 pair.chosen_from.weights, str(pair.chosen_from.seed), "temperature 0.9", "correct: made so (test 1.0)",
                 "wrong: made so", f"{pair.chosen_from.num_tokens} tokens"):  # fmt: skip
        assert part in story, part


def test_a_beginning_of_an_id_will_do(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = read_records("data/pairs.jsonl", PreferencePair)
    assert pair.id in told(capsys, "pair", pair.id[:6])


def test_a_sample_tells_where_it_went(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = read_records("data/pairs.jsonl", PreferencePair)
    story = told(capsys, "sample", pair.rejected_id)
    assert f"rejected in pair {pair.id}" in story
    assert story.count("drawn again: identical") == 1


def test_a_demonstration_leads_to_the_sample_it_was(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, own = read_records("data/demonstrations.jsonl", Demonstration)
    story = told(capsys, "demonstration", own.id)
    assert "drawn again: identical" in story
    assert "restated" in story
    assert "demonstrated to the SFT policy" in told(capsys, "sample", own.id)
    story = told(capsys, "demonstration", reference.id)
    assert "written by worked" in story
    assert PROBLEM.solution.splitlines()[0] in story


def test_a_trace_is_written_again(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for trace in read_records("data/traces.jsonl", VerificationTrace):
        story = told(capsys, "trace", trace.id)
        assert "written again: identical" in story
        assert "made again: identical" in story
        assert all(line in story for line in trace.chain.splitlines())


def test_another_seed_spoils_another_copy(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "params.yaml").write_text(EMBEDDED.read_text().replace("seed: 0", "seed: 5", 1))
    stories = {
        trace.label: told(capsys, "trace", trace.id) for trace in read_records("data/traces.jsonl", VerificationTrace)
    }
    assert "made again: identical" in stories[True]
    assert "made again: DIFFERENT" in stories[False]


def test_a_changed_row_is_found_out(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first, second) = read_records("data/samples/sft.jsonl", Solution)
    write_records("data/samples/sft.jsonl", [first.model_copy(update={"text": first.text + "!"}), second])
    story = told(capsys, "sample", first.id)
    assert "drawn again: DIFFERENT" in story
    assert first.text.splitlines()[0] in story


def test_weights_that_are_gone_are_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = read_records("data/pairs.jsonl", PreferencePair)
    weights = bytearray((repository / "models/sft/model.safetensors").read_bytes())
    weights[-1] ^= 1
    (repository / "models/sft/model.safetensors").write_bytes(weights)
    story = told(capsys, "pair", pair.id)
    assert "drawn again: identical" not in story
    assert f"commit of {pair.chosen_from.weights}" in story
    shutil.rmtree(repository / "models")
    assert "no models here" in told(capsys, "pair", pair.id)


def test_what_a_server_drew_is_not_drawn_again(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first, second) = read_records("data/samples/sft.jsonl", Solution)
    write_records("data/samples/sft.jsonl", [first.model_copy(update={"server": "vllm 0.11.0"}), second])
    story = told(capsys, "sample", first.id)
    assert "not drawn again: vllm 0.11.0 drew it" in story
    assert "drawn again: identical" not in story


@pytest.mark.parametrize("kind", ["pair", "trace", "sample"])
def test_an_unknown_id_is_one_message(kind: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", kind, "zzzz"]) == 1
    said = capsys.readouterr().err
    assert "no rows have an id that begins with 'zzzz' in data/" in said
    assert "Traceback" not in said


def test_two_rows_with_the_same_beginning_are_not_guessed_at(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read_records("data/samples/sft.jsonl", Solution)
    write_records("data/samples/sft.jsonl", [row.model_copy(update={"id": f"aa{i}"}) for i, row in enumerate(rows)])
    assert main(["explain", "sample", "aa"]) == 1
    assert "2 rows have an id that begins with 'aa'" in capsys.readouterr().err
