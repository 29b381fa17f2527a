"""dvc.yaml says the truth about its stages.

A code dependency that is not listed is a cache that lies: the code changes and the old result stays. A parameter that
is listed but not read is a cache that always misses. Both are compared with what the scripts' syntax shows.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from source_graph import REPOSITORY, closure, modules, only_text, room

from proofline.config.schema import ABLATION, EVALUATED, POLICIES, TRAINED, Params
from proofline.evaluation.cards import TRAININGS
from proofline.evaluation.plots import POLICY_COLOURS
from proofline.evaluation.study import TITLES
from proofline.training.identity import CODE, DRAWING

GRAPH: dict[str, Any] = YAML(typ="safe").load((REPOSITORY / "dvc.yaml").read_text())["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in GRAPH.items()}

# Rooms that run inside stages and cannot change what they write, each with the reason.
NEUTRAL = {
    "": "the package's docstring and version",
    "config": "hands over values that DVC hashes (params.yaml) or must not hash (the environment); changes none",
    "tracking": "records what a stage did; a stage without it writes the same bytes",
    "registry": "registers what a stage wrote, after it is written",
    "launch": "runs a given function on given machines; knows no maths",
}


def script(stage: str) -> Path:
    return REPOSITORY / "stages" / f"{stage}.py"


def code_dependencies(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith(("src/", "stages/"))]


def needed_modules(stage: str) -> dict[str, str]:
    """Modules that can change what the stage writes, and their files."""
    return {
        name: str(modules()[name].relative_to(REPOSITORY))
        for name in closure(script(stage), NEUTRAL)
        if not only_text(modules()[name])
    }


def covers(dependency: str, path: str) -> bool:
    return path == dependency or path.startswith(dependency + "/")


def test_a_script_for_every_stage_and_a_stage_for_every_script() -> None:
    assert {path.stem for path in (REPOSITORY / "stages").glob("[!_]*.py")} == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_script_runs_its_own_checkout(stage: str) -> None:
    """`_checkout` decides which package is imported, so it comes before the first import of that."""
    imported = [
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.parse(script(stage).read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    before = imported[: next(at for at, name in enumerate(imported) if name.startswith("proofline"))]
    assert "_checkout" in before, f"{stage} imports whatever is installed: let it `import _checkout` first"


@pytest.mark.parametrize("stage", STAGES)
def test_code_dependencies_cover_what_the_script_imports(stage: str) -> None:
    dependencies = code_dependencies(stage)
    needed = [f"stages/{stage}.py", *needed_modules(stage).values()]
    uncovered = sorted(path for path in needed if not any(covers(dependency, path) for dependency in dependencies))
    assert not uncovered, f"add to the deps of {stage} in dvc.yaml: {', '.join(uncovered)}"


@pytest.mark.parametrize("stage", STAGES)
def test_no_code_dependency_is_superfluous(stage: str) -> None:
    needed = [f"stages/{stage}.py", *needed_modules(stage).values()]
    idle = [dep for dep in code_dependencies(stage) if not any(covers(dep, path) for path in needed)]
    assert not idle, f"{stage} never imports {', '.join(idle)}: take it out of dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_parameters_are_the_sections_the_script_reads(stage: str) -> None:
    tree = ast.parse(script(stage).read_text())
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "params"]
    loads = [node for node in loads if isinstance(node.ctx, ast.Load)]
    of_params = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.value in loads]
    assert len(of_params) == len(loads), f"{stage} hands the whole recipe on; pass the sections"
    read = {node.attr for node in of_params}
    listed = set(STAGES[stage].get("params", []))
    assert read == listed, f"{stage} reads {sorted(read)}, dvc.yaml lists {sorted(listed)}"


@pytest.mark.parametrize("stage", STAGES)
def test_the_run_record_names_the_same_sections(stage: str) -> None:
    sections = [
        {key.value for key in node.keys if isinstance(key, ast.Constant)}
        for node in ast.walk(ast.parse(script(stage).read_text()))
        if isinstance(node, ast.Dict) and {getattr(key, "value", None) for key in node.keys} <= set(Params.model_fields)
    ]
    assert set(STAGES[stage].get("params", [])) in sections


@pytest.mark.parametrize("stage", STAGES)
def test_a_command_is_the_script_and_at_most_a_policy(stage: str) -> None:
    """How a stage is executed (threads, launcher, bucket) would rerun it if it stood in its command."""
    assert re.fullmatch(rf"python stages/{stage}\.py( --policy \$\{{(item|key)\}})?", STAGES[stage]["cmd"])


def test_the_code_of_a_checkpoint_is_what_its_training_runs() -> None:
    """Another code's checkpoint is not resumed: none of what can change a training may be left out of its identity."""
    named = [f"src/proofline/{part}" for part in CODE]
    for stage in [name for name in STAGES if name.startswith("train_")]:
        needed = needed_modules(stage).values()
        left_out = sorted(path for path in needed if not any(covers(part, path) for part in named))
        assert not left_out, f"add to CODE in training/identity.py: {', '.join(left_out)}"


def test_the_code_of_a_piece_is_what_its_shards_run() -> None:
    """What a stage has drawn, graded or verified by other code is not taken up either."""
    drawing = [modules()[name] for name in modules() if room(name) in ("sampling", "grading")]
    drawing.append(modules()["proofline.verification.score"])
    needed = {name for path in drawing for name in closure(path, NEUTRAL) if not only_text(modules()[name])}
    named = [f"src/proofline/{part}" for part in DRAWING]
    paths = [str(path.relative_to(REPOSITORY)) for path in [*drawing, *(modules()[name] for name in needed)]]
    left_out = sorted(path for path in paths if not any(covers(part, path) for part in named))
    assert not left_out, f"add to DRAWING in training/identity.py: {', '.join(left_out)}"
    idle = [part for part in named if not any(covers(part, path) for path in paths)]
    assert not idle, f"take out of DRAWING: {', '.join(idle)}"


def test_everything_a_stage_writes_is_cached() -> None:
    """An out or metric that is not cached makes its stage run again on every other machine."""
    for name, stage in STAGES.items():
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            assert isinstance(out, str), f"{name}: {out} has options; outs are plain, cached paths"
            assert out.split("/")[0] in ("data", "models", "reports")


def test_a_data_set_is_one_object_of_the_remote() -> None:
    """However many rows it has: a file is one, a folder as many as it has files. docs/bucket.md says so."""
    outs = [out for stage in STAGES.values() for out in stage["outs"] if out.startswith("data/")]
    assert {Path(out).suffix for out in outs} == {".jsonl", ".json"}


def test_policies_are_those_that_the_recipe_names() -> None:
    """`dvc.yaml` and the tables cannot import the one list."""
    assert {f"train_{policy}" for policy in (*TRAINED, ABLATION)} == {name for name in STAGES if "train_" in name}
    assert GRAPH["evaluate"]["foreach"] == list(TITLES) == list(EVALUATED)
    judged = {dep.split("/")[2] for dep in STAGES["judge"]["deps"] if dep.startswith("reports/evaluate/")}
    assert judged == set(POLICIES) == set(POLICY_COLOURS) == set(TRAININGS)


def test_the_ablation_is_trained_on_what_the_verifier_is_trained_on() -> None:
    verifier, ablation = STAGES["train_genrm"], STAGES[f"train_{ABLATION}"]
    assert ablation["params"] == verifier["params"]
    assert [dep for dep in ablation["deps"] if "stages/" not in dep] == [
        dep for dep in verifier["deps"] if "stages/" not in dep
    ]


@pytest.mark.parametrize("policy", TRAINED)
def test_a_model_card_names_the_rows_that_the_stage_trains_on(policy: str) -> None:
    rows = [dep for dep in STAGES[f"train_{policy}"]["deps"] if dep.startswith("data/")]
    assert sorted(TRAININGS[policy].datasets) == sorted(rows)
    assert set(rows) <= set(STAGES["report"]["deps"]), "the card tells how many, and their hash"
