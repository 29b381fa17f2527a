"""docs/remote.md is true: its commands run, one after the other, as written, on two machines and a bucket."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from checkout import commit, make_checkout, typed
from machines import Machine, blocks
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow
STAGES = ("prepare", "base")
"""Enough of the graph: a folder and files, in seconds."""


def block(command: str) -> str:
    """The one block of the page that begins with this command."""
    (found,) = [block for block in blocks("docs/remote.md") if block.startswith(command)]
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, bucket: str) -> Machine:
    """Somebody with a checkout whose graph is cut to a few stages."""
    root = tmp_path_factory.mktemp("machines")
    folder = make_checkout(root / "first")
    yaml = YAML()
    graph = yaml.load(folder / "dvc.yaml")
    graph["stages"] = {name: graph["stages"][name] for name in STAGES}
    del graph["plots"]
    yaml.dump(graph, folder / "dvc.yaml")
    commit(folder)
    person = Machine(folder, bucket).with_origin()
    person.type(block("proofline remote set"))
    return person


@pytest.fixture(scope="module")
def pushed(first: Machine) -> Machine:
    said = first.type(block("dvc repro\ngit add"))
    assert re.search(r"\d+ files pushed", said)
    assert "byte for byte" in said
    return first


@pytest.fixture(scope="module")
def second(pushed: Machine, bucket: str) -> Machine:
    person = Machine(pushed.folder.parent, bucket, pushed.origin)
    said = person.type(block("git clone"))
    assert said.count("didn't change, skipping") == len(STAGES)
    person.folder = person.folder / "elsewhere"
    return person


def test_what_was_pushed_is_what_is_pulled(pushed: Machine, second: Machine) -> None:
    for path in ("data/problems/test.jsonl", "models/base/model.safetensors", "dvc.lock"):
        assert (second.folder / path).read_bytes() == (pushed.folder / path).read_bytes()
    assert typed(["git", "status", "--porcelain"], second.folder) == ""


def test_what_another_has_run_is_not_run_again(pushed: Machine, second: Machine) -> None:
    edit = "sed -i 's/demonstrations: 128/demonstrations: 90/' params.yaml\n"
    back = "git checkout -q params.yaml dvc.lock\ndvc checkout\n"
    pushed.type(edit + "dvc repro\ndvc push --run-cache\n" + back)
    said = second.type(edit + block("dvc pull --run-cache"))
    assert "Stage 'prepare' is cached - skipping run" in said
    assert len((second.folder / "data/references.jsonl").read_text().splitlines()) == 90
    second.type(back)


def test_an_experiment_travels_by_its_name(pushed: Machine, second: Machine) -> None:
    pushed.type(block("dvc exp run"))
    assert "smaller" in second.type(block("dvc exp list"))
    report = json.loads((second.folder / "data/curation.json").read_text())
    assert report["demonstrations"]["demonstrations"] == 100


def test_what_nobody_needs_is_named(pushed: Machine) -> None:
    pushed.type(block("dvc gc"))


def test_damage_in_the_bucket_is_found(second: Machine, bucket: str) -> None:
    """One of its objects is replaced."""
    lock = YAML(typ="safe").load((second.folder / "dvc.lock").read_text())
    md5 = next(out["md5"] for out in lock["stages"]["prepare"]["outs"] if out["path"] == "data/problems/dev.jsonl")
    name = f"proofline/files/md5/{md5[:2]}/{md5[2:]}".replace("/", "%2F")
    upload = f"{bucket}/upload/storage/v1/b/shelf/o?uploadType=media&name={name}"
    urllib.request.urlopen(urllib.request.Request(upload, data=b"{}\n", method="POST"), timeout=60).close()
    (second.folder / "data/problems/dev.jsonl").unlink()
    (second.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    with pytest.raises(AssertionError, match=r"dev\.jsonl|corrupted"):
        second.type("dvc pull data/problems/dev.jsonl")
    assert not (second.folder / "data/problems/dev.jsonl").exists()
