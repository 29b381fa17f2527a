"""The stage graph as a picture: `dvc dag`'s edges, read from top to bottom.

A stage stands one row below the last stage it needs, in the lane of what it makes: data, a model, a result. Edges that
a longer way implies are left out (`prepare` feeds nearly everything), so what is drawn is the order in which things can
happen. The same graph gives the same bytes.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

Graph = dict[str, frozenset[str]]
"""Stage -> the stages it needs."""

LANES = {"data": "#dceaf7", "model": "#fde3c8", "result": "#ddf0da"}
"""What a stage makes, from left to right, and its colour."""
LANE = 3.0
"""Its width in the picture."""


class GraphError(ValueError):
    """The stage graph cannot be read."""


def draw_graph(output: Path) -> None:
    """Draw the graph of the repository in the working directory as a .png or .svg file."""
    save_picture(shortened(read_graph()), output)


def read_graph() -> Graph:
    """The stages of `dvc.yaml`, templates expanded, as DVC itself resolves them."""
    done = subprocess.run(["dvc", "dag", "--dot"], capture_output=True, text=True)
    if done.returncode:
        raise GraphError(f"`dvc dag` failed: {done.stderr.strip()}")
    return parse_dot(done.stdout)


def parse_dot(text: str) -> Graph:
    """Nodes and edges of DVC's dot output, whose names are all quoted."""
    needs: dict[str, set[str]] = {}
    for source, target in re.findall(r'^"([^"]+)"(?: -> "([^"]+)")?;$', text, flags=re.MULTILINE):
        needs.setdefault(source, set())
        if target:
            needs.setdefault(target, set()).add(source)
    return {name: frozenset(sources) for name, sources in needs.items()}


def shortened(graph: Graph) -> Graph:
    """The transitive reduction: without edges that a longer way implies."""
    above: dict[str, set[str]] = {}
    depth = depths(graph)
    for name in sorted(graph, key=lambda name: depth[name]):
        above[name] = set(graph[name]).union(*(above[source] for source in graph[name]))
    return {
        name: frozenset(source for source in sources if not any(source in above[other] for other in sources))
        for name, sources in graph.items()
    }


def depths(graph: Graph) -> dict[str, int]:
    """Length of the longest way to each stage."""
    found: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((depth(source) for source in graph[name]), default=-1)
        return found[name]

    for name in graph:
        depth(name)
    return found


def layout(graph: Graph) -> dict[str, tuple[float, float]]:
    """Column and row of each stage; rows count downwards, and stages that share a row of a lane stand side by side."""
    depth = depths(graph)
    place = {}
    for column, lane in enumerate(LANES):
        for row in range(max(depth.values()) + 1):
            beside = [name for name in graph if depth[name] == row and kind(name) == lane]
            if column == 0:  # outermost what is needed only later: its arrow goes round on the left
                beside.sort(key=lambda name: -max((depth[other] for other in graph if name in graph[other]), default=0))
            for position, name in enumerate(beside):
                place[name] = (column + 0.7 * (position - (len(beside) - 1) / 2), float(-row))
    return place


def kind(stage: str) -> str:
    """The lane of a stage."""
    if stage == "base" or stage.startswith("train_"):
        return "model"
    return "result" if stage.partition("@")[0] in ("evaluate", "verify", "judge", "report") else "data"


def save_picture(graph: Graph, output: Path) -> None:
    """Boxes and arrows, as .png or .svg by the name's ending."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    place = {name: (LANE * column, 0.62 * row) for name, (column, row) in layout(graph).items()}
    left, right = min(x for x, _ in place.values()) - 1.3, 8.2
    figure, axes = pyplot.subplots(figsize=(0.9 * (right - left), 0.62 * max(depths(graph).values()) + 0.8))
    boxes = {
        name: axes.text(
            x, y, name.replace("@", " · "), ha="center", va="center", fontsize=10,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": LANES[kind(name)], "edgecolor": "#555555"},
        )
        for name, (x, y) in place.items()
    }  # fmt: skip
    for name, source in ((name, source) for name, sources in graph.items() for source in sorted(sources)):
        corners = _way_around(place[source], place[name])
        # Behind the boxes: only the part outside them is seen.
        axes.plot(*zip(place[source], *corners, strict=True), zorder=0, color="#666666", linewidth=0.9)
        axes.annotate(
            "", xy=place[name], xytext=corners[-1] if corners else place[source],
            arrowprops={
                "arrowstyle": "-|>", "color": "#666666", "linewidth": 0.9, "shrinkA": 0,
                "patchA": None if corners else boxes[source].get_bbox_patch(), "patchB": boxes[name].get_bbox_patch(),
            },
        )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(min(y for _, y in place.values()) - 0.4, 0.4)
    axes.axis("off")
    output.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if output.suffix == ".svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "proofline"}):
        figure.savefig(output, dpi=110, bbox_inches="tight", metadata=metadata)
    pyplot.close(figure)


def _way_around(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """The corners of an arrow that would run down its own lane through other stages: out, down, and back in."""
    (x, y), (to_x, to_y) = start, end
    in_lane = to_x == x or max(x, to_x) < LANE / 2
    if not in_lane or y - to_y < 0.7:
        return []
    outside = x + 2.05 if x > 0 else x - 1.15
    return [(outside, y), (outside, to_y)]
