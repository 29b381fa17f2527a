"""The whole graph for real, in a copy of the repository, with the `smoke` profile: two minutes on two cores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import make_checkout, tried
from described import RECORDS
from ruamel.yaml import YAML

from proofline.records import Demonstration, PreferencePair, Solution, VerificationTrace
from proofline.storage.records import iter_records

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from faults_graph import Kill, reproduce

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.slow(minutes=5)

GRADED = ("base", "sft", "dpo", "published")
NOTHING = [
    f"data/{name}.jsonl" for name in ("published", "critiques", "grades/published", "samples/base", "grades/base")
]
"""Files without rows in a recipe that asks neither for published candidates nor for solutions of the base."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In a folder as people name them."""
    return make_checkout(tmp_path_factory.mktemp("copy") / "Größe und Maß (1)")


@pytest.fixture(scope="module")
def run(copy: Path) -> Run:
    """Run a command in the copy."""
    return lambda *command, **variables: tried(command, copy, **variables)


@pytest.fixture(scope="module")
def killed(copy: Path) -> list[Kill]:
    """The first `dvc repro` is killed when the training has a checkpoint, the second while a policy is sampled from."""

    def kept(_: float) -> bool:
        return any(copy.glob("checkpoints/train_sft/*/step-*/manifest.json"))

    def sampled(_: float) -> bool:
        return "Running stage 'sample@sft'" in (copy.parent / f"{copy.name}.log").read_text()

    kills = [reproduce(copy, moment, PROOFLINE_SAVE_STEPS="1") for moment in (kept, sampled)]
    return [kill for kill in kills if kill is not None]


@pytest.fixture(scope="module")
def reproduced(copy: Path, killed: list[Kill], run: Run) -> Path:
    done = run("dvc", "repro")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return copy


def lock(folder: Path) -> dict[str, dict]:
    stages: dict[str, dict] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return stages


def test_every_stage_ran_and_left_its_outs(reproduced: Path) -> None:
    stages = lock(reproduced)
    assert len(stages) == 24
    for stage in stages.values():
        for out in stage["outs"]:
            assert (reproduced / out["path"]).exists(), out["path"]


def test_a_run_leaves_nothing_in_the_tree_but_its_lock(reproduced: Path, run: Run) -> None:
    changed = run("git", "status", "--porcelain").stdout.split()
    assert changed == ["??", "dvc.lock"]


def test_what_was_killed_has_the_hashes_of_an_undisturbed_run(reproduced: Path, killed: list[Kill], run: Run) -> None:
    """`benchmarks/faults_graph.py` compares the whole graph; here the stages in which it was killed run once more."""
    assert [kill.stage for kill in killed] == ["train_sft", "sample@sft"]
    before = (reproduced / "dvc.lock").read_bytes()
    for kill in killed:
        assert run("dvc", "repro", "--force", "--single-item", kill.stage).returncode == 0
    assert (reproduced / "dvc.lock").read_bytes() == before


def test_running_again_does_nothing(reproduced: Path, run: Run) -> None:
    before = (reproduced / "dvc.lock").read_bytes()
    assert "up to date" in run("dvc", "status").stdout
    done = run("dvc", "repro")
    assert done.stdout.count("didn't change, skipping") == 24
    assert (reproduced / "dvc.lock").read_bytes() == before


def test_execution_settings_invalidate_nothing(reproduced: Path, run: Run) -> None:
    settings = {
        "PROOFLINE_THREADS": "1",
        "PROOFLINE_SAMPLING_ROWS": "3",
        "PROOFLINE_MICRO_BATCH": "2",
        "PROOFLINE_GRADER_WORKERS": "1",
        "PROOFLINE_TRACKING_URI": "sqlite:///elsewhere.db",
        "PROOFLINE_DATA_ROOT": "gs://elsewhere/raw",
    }
    assert "up to date" in run("dvc", "status", **settings).stdout
    assert run("dvc", "repro", **settings).stdout.count("didn't change, skipping") == 24


def test_a_base_that_is_not_sampled_needs_no_server(reproduced: Path, run: Run) -> None:
    done = run("python", "stages/sample.py", "--policy", "base", PROOFLINE_SAMPLING_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 0, done.stderr
    assert not (reproduced / "data/samples/base.jsonl").read_bytes()


def test_metrics_and_plots_can_be_shown(reproduced: Path, run: Run) -> None:
    shown = run("dvc", "metrics", "show", "--json")
    assert shown.returncode == 0
    (path,) = json.loads(shown.stdout)[""]["data"]
    assert path == "reports/headline.json"
    plots = run("dvc", "plots", "show", "--json")
    assert plots.returncode == 0
    assert not plots.stderr.strip()


def test_experiments_are_shown_by_a_handful_of_numbers(reproduced: Path, run: Run) -> None:
    (header,) = csv.reader(run("dvc", "exp", "show", "--csv").stdout.splitlines()[:1])
    metrics = header[header.index("parent") + 1 : header.index("seed")]
    assert metrics == [
        *(f"accuracy.{policy}" for policy in ("base", "sft", "dpo", "genrm")),
        *(f"verifier.{name}" for name in ("auroc_within_layout", "gain_over_one", "gain_over_majority")),
    ]


def test_the_data_is_as_its_readme_says(reproduced: Path) -> None:
    for path, kind in RECORDS.items():
        rows = list(iter_records(reproduced / path, kind))
        assert rows or path in NOTHING, path
    described = (reproduced / "data/README.md").read_text()
    for path in ("curation", "demonstrations", "pairs", "traces", *(f"grades/{policy}" for policy in GRADED)):
        for key in json.loads((reproduced / f"data/{path}.json").read_text()):
            assert f"`{key}`" in described, f"data/{path}.json has {key}: say in data/README.md what it is"


def test_the_protocol_matrix_is_of_the_solutions_that_lie_beside_it(reproduced: Path, run: Run) -> None:
    """The recipe's numbers of examples; equivalence with none is the accuracy; examples are training demonstrations."""
    metrics = json.loads((reproduced / "reports/metrics.json").read_text())
    demonstrations = {row.id for row in iter_records(reproduced / "data/demonstrations.jsonl", Demonstration)}
    for policy, matrix in metrics["protocols"]["policies"].items():
        assert matrix.keys() == {"0", "2"}
        assert matrix["0"]["overall"]["equivalence"]["value"] == metrics["policies"][policy]["accuracy"]["value"]
        few = list(iter_records(reproduced / f"reports/evaluate/{policy}/few_shot.jsonl", Solution))
        assert len(few) == matrix["2"]["overall"]["problems"] == 20
        assert all(len(row.examples) == 2 and demonstrations.issuperset(row.examples) for row in few)
        assert all(row.num_tokens for row in few), "they all fit"
    assert "drawn again: identical" in run("proofline", "explain", "sample", few[0].id).stdout


def test_a_pair_and_a_trace_are_drawn_again_from_the_weights(reproduced: Path, run: Run) -> None:
    """Alone, where the stage drew them in batches."""
    pair = next(iter(iter_records(reproduced / "data/pairs.jsonl", PreferencePair)))
    told = run("proofline", "explain", "pair", pair.id)
    assert told.stdout.count("drawn again: identical") == 2, told.stdout + told.stderr
    trace = next(iter(iter_records(reproduced / "data/traces.jsonl", VerificationTrace)))
    assert "written again: identical" in run("proofline", "explain", "trace", trace.id).stdout


def test_a_typo_stops_the_first_stage_that_reads_it(reproduced: Path, run: Run) -> None:
    """Last in this file: DVC removes a stage's outs before it runs."""
    recipe = reproduced / "params.yaml"
    recipe.write_text(recipe.read_text().replace("  ngram:", "  ngramm:"))
    done = run("dvc", "repro")
    assert done.returncode != 0
    assert "prepare.ngramm: unknown key" in done.stderr
    assert "did you mean prepare.ngram?" in done.stderr
    assert "Running stage 'prepare'" in done.stdout
    assert done.stdout.count("Running stage") == 1
