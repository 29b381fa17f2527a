"""The picture of the graph: no edge that another way implies, no two stages in one place, the same bytes each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkout import EMBEDDED, REPOSITORY, typed
from hypothesis import given
from hypothesis import strategies as st

from proofline.graph import Graph, depths, layout, parse_dot, read_graph, save_picture, shortened

DOT = """strict digraph {
"prepare";
"evaluate@sft";
"prepare" -> "evaluate@sft";
}
"""


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any acyclic graph: a stage needs only stages before it."""
    names = ["prepare", "base", "train_sft", "sample@sft", "evaluate@sft", "evaluate@base", "report"]
    chosen = names[: draw(st.integers(1, len(names)))]
    needs = {
        name: draw(st.frozensets(st.sampled_from(chosen[:position]))) if position else frozenset()
        for position, name in enumerate(chosen)
    }
    return {name: needs[name] for name in draw(st.permutations(chosen))}


def reached(graph: Graph, name: str) -> set[str]:
    return set(graph[name]).union(*(reached(graph, source) for source in graph[name]))


def test_dvcs_own_words_are_read() -> None:
    assert parse_dot(DOT) == {"prepare": frozenset(), "evaluate@sft": frozenset({"prepare"})}


@given(graphs())
def test_shortening_keeps_every_order_and_no_spare_edge(graph: Graph) -> None:
    short = shortened(graph)
    for name in graph:
        assert reached(short, name) == reached(graph, name)
        for source in short[name]:
            assert not any(source in reached(graph, other) for other in graph[name])


@given(graphs())
def test_stages_stand_below_what_they_need_and_apart(graph: Graph) -> None:
    place = layout(graph)
    assert len(set(place.values())) == len(graph)
    for name, sources in graph.items():
        assert all(
            depths(graph)[source] < depths(graph)[name] and place[source][1] > place[name][1] for source in sources
        )


@pytest.mark.slow
def test_the_picture_of_this_graph_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(REPOSITORY / "dvc.yaml", tmp_path)
    shutil.copy(EMBEDDED, tmp_path / "params.yaml")
    typed(["dvc", "init", "-q", "--no-scm"], tmp_path)
    monkeypatch.chdir(tmp_path)
    graph = shortened(read_graph())
    assert {"prepare", "sample@dpo", "evaluate@genrm", "report"} <= set(graph)
    for suffix in ("svg", "png"):
        one, other = tmp_path / f"one.{suffix}", tmp_path / f"other.{suffix}"
        save_picture(graph, one)
        save_picture(graph, other)
        assert one.read_bytes() == other.read_bytes()
