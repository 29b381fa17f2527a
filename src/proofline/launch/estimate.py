"""How long the graph will take here: the seconds that every stage took where they were measured, scaled.

A stage's seconds above those of the shortest one grow with what the recipe gives it to do and shrink with what the
probe finds this processor to multiply. Both are rough: samples end early, and decoding is not all products. Measured
by `python benchmarks/graph.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from proofline.config.schema import Params

MEASURED = Path("benchmarks/results/graph.json")


def work(params: Params) -> dict[str, float]:
    """How much every kind of stage has to do (examples, or tokens at most), by the stage's name without its policy."""
    problems = params.prepare.synthetic
    solved = params.sampling.problems or problems.train
    tested = params.evaluation.problems or problems.test
    samples = solved * params.sampling.num_samples
    traces = min(solved * params.traces.per_problem, params.traces.limit or solved * params.traces.per_problem)
    tests, greedy = tested * params.evaluation.num_samples, tested * len(params.evaluation.shots)
    return {
        "prepare": problems.train + problems.dev + problems.test,
        "build_demonstrations": params.prepare.demonstrations,
        "train_sft": params.prepare.demonstrations * params.sft.epochs,
        "sample": samples * params.sampling.max_new_tokens,
        "grade": samples,
        "build_pairs": samples,
        "train_dpo": solved * params.pairs.per_problem * params.dpo.epochs,
        "build_traces": samples,
        "train_genrm": traces * params.genrm.epochs,
        "train_solutions": traces * params.genrm.epochs,
        "evaluate": (tests + greedy) * params.evaluation.max_new_tokens,
        "verify": tests * params.verification.num_chains * params.verification.max_new_tokens,
        "judge": tests,
        "report": tests,
    }


class Estimate(NamedTuple):
    """How long all stages take one after the other from an empty cache."""

    seconds: float
    processor: str
    """Where they were measured."""
    unmeasured: tuple[str, ...]
    """Stages that are left out: they have come since."""


def estimate(params: Params, fp32_gflops: float, threads: int, root: Path) -> Estimate | None:
    """The graph's seconds on a processor by the probe.

    None where nothing is known: another base than the bundled one, published problems, no measurement in the checkout.
    """
    file = root / MEASURED
    if params.base.source != "bundled" or list(params.prepare.sources) != ["synthetic"] or not file.is_file():
        return None
    known: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    machine = known["machine"]
    faster = fp32_gflops * min(threads, machine["cores"]) / (known["fp32_gflops"] * machine["cores"])
    asked = work(params)
    stages = {name: measured["alone_s"] for name, measured in known["stages"].items()}
    least = min(stages.values())
    seconds = 0.0
    for name, taken in stages.items():
        kind = name.partition("@")[0]
        more = asked[kind] / known["work"][kind] if kind in asked else 1.0
        seconds += (least + (taken - least) * more) / faster
    measured = {name.partition("@")[0] for name in stages}
    return Estimate(seconds, machine["processor"], tuple(name for name in asked if name not in measured))
