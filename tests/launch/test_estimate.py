"""How long the graph takes here, from where its stages were measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED, REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from proofline.config.load import load_params
from proofline.config.schema import Params
from proofline.launch.estimate import MEASURED, estimate, work

SMOKE = REPOSITORY / "profiles/smoke.yaml"
MEASUREMENT: dict[str, Any] = json.loads((REPOSITORY / MEASURED).read_text(encoding="utf-8"))
GFLOPS, CORES = MEASUREMENT["fp32_gflops"], MEASUREMENT["machine"]["cores"]
SECONDS = sum(stage["alone_s"] for stage in MEASUREMENT["stages"].values())


def taken(params: Params, gflops: float = GFLOPS, threads: int = CORES) -> float:
    found = estimate(params, gflops, threads, REPOSITORY)
    assert found is not None
    return found.seconds


def changed(section: str, **values: Any) -> Params:
    params = load_params(EMBEDDED)
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


def test_every_stage_of_the_graph_was_measured_or_is_said_not_to_be() -> None:
    graph = YAML(typ="safe").load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    measured = {name.partition("@")[0] for name in MEASUREMENT["stages"]}
    found = estimate(load_params(EMBEDDED), GFLOPS, CORES, REPOSITORY)
    assert found is not None
    assert measured | set(found.unmeasured) == set(graph)
    assert not measured & set(found.unmeasured)


def test_the_measured_recipe_takes_here_what_it_took_there(tmp_path: Path) -> None:
    """Whatever recipe was measured: here, this one."""
    embedded = load_params(EMBEDDED)
    (tmp_path / MEASURED).parent.mkdir(parents=True)
    (tmp_path / MEASURED).write_text(json.dumps(MEASUREMENT | {"work": work(embedded)}))
    for speed, threads, times in ((1, CORES, 1), (2, CORES, 2), (1, 64, 1)):  # stages do not use more threads
        found = estimate(embedded, GFLOPS / speed, threads, tmp_path)
        assert found is not None
        assert found.seconds == pytest.approx(times * SECONDS, rel=0.001)


def test_a_smaller_recipe_takes_less_but_never_less_than_its_stages_take_to_start() -> None:
    least = min(stage["alone_s"] for stage in MEASUREMENT["stages"].values()) * len(MEASUREMENT["stages"])
    assert least < taken(load_params(SMOKE)) < SECONDS / 2


@given(st.integers(1, 16), st.integers(1, 16))
def test_more_samples_take_longer(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    assert taken(changed("evaluation", num_samples=fewer)) <= taken(changed("evaluation", num_samples=more))


def test_what_was_never_measured_is_not_guessed(tmp_path: Path) -> None:
    assert estimate(changed("base", source="hub"), GFLOPS, CORES, REPOSITORY) is None
    assert estimate(changed("prepare", sources=("gsm8k",)), GFLOPS, CORES, REPOSITORY) is None
    assert estimate(load_params(EMBEDDED), GFLOPS, CORES, tmp_path) is None
