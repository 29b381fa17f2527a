"""Experiments as docs/experiments.md shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import REPOSITORY, end_all, typed
from ruamel.yaml import YAML
from short_graph import ask, make_short

from proofline.storage.weights import weights_hash

pytestmark = [pytest.mark.slow(minutes=4), pytest.mark.timeout(1800)]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    yield make_short(tmp_path / "copy")
    end_all(tmp_path / "copy")


def test_the_page_about_experiments_does_what_it_says(copy: Path) -> None:
    page = (REPOSITORY / "docs/experiments.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL):
        for command in block.splitlines():
            typed(["bash", "-c", command], copy, PROOFLINE_THREADS="1", PYTHONPATH=str(REPOSITORY / "src"))

    (shown,) = json.loads(typed(["dvc", "exp", "show", "--json", "-n", "1"], copy))[1:]
    names = {experiment["name"] for experiment in shown["experiments"]}
    assert len(names) == 4
    assert names > {"slower", "seed-1"}
    trained = """
        SELECT name.value, seed.value FROM runs JOIN tags name USING (run_uuid) JOIN params seed USING (run_uuid)
        WHERE runs.name = 'train_sft' AND name.key = 'proofline.experiment' AND seed.key = 'seed'
    """
    seeds = dict(ask(copy, trained))
    assert seeds.keys() == names
    assert sorted(seeds.values()) == ["0", "1", "2", "3"]
    assert (seeds["slower"], seeds["seed-1"]) == ("0", "1")
    assert ask(copy, "SELECT DISTINCT status FROM runs") == [("FINISHED",)]

    assert YAML(typ="safe").load(copy / "params.yaml")["seed"] == 1
    weights = "SELECT version, value FROM model_version_tags WHERE name = 'proofline-sft' AND key = 'proofline.weights'"
    versions = {hashed: version for version, hashed in ask(copy, weights)}
    assert len(versions) == 4
    champion = "SELECT version FROM registered_model_aliases WHERE name = 'proofline-sft' AND alias = 'champion'"
    assert ask(copy, champion) == [(versions[weights_hash(copy / "models/sft")],)]
