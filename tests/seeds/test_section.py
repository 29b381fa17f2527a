"""The report's section on other seeds: of these very weights, or of none."""

from __future__ import annotations

import json

from proofline.evaluation.statistics import Estimate
from proofline.seeds.measures import Measure
from proofline.seeds.spread import Measured
from proofline.seeds.table import Seeds, gather, section

WEIGHTS = [{"base": "b", "sft": "s0"}, {"base": "b", "sft": "s1"}]
RUNS = {
    seed: {Measure("base → +SFT, greedy", 0.0): Measured(Estimate(gain, gain - 0.02, gain + 0.02), 0.0)}
    for seed, gain in enumerate((0.10, 0.12))
}


def stored() -> Seeds:
    written = json.dumps(gather(RUNS, WEIGHTS, "0123456789", "some CPU", 0.95).as_json())
    return Seeds.of_json(json.loads(written))


def test_a_run_that_is_one_of_the_seeds_has_the_others_beside_it() -> None:
    text = section(stored(), WEIGHTS[1], 1)
    assert text.startswith("## Does it hold under other seeds?\n")
    assert "2 runs from commit 0123456 on some CPU, this one's weights among them (seed 1)" in text
    assert "| base → +SFT, greedy | +10.0 | +12.0 |" in text


def test_other_weights_or_another_seed_have_none() -> None:
    for weights, seed in ((WEIGHTS[1], 0), ({"base": "b", "sft": "s2"}, 0), (WEIGHTS[0], 7), ({"base": "b"}, 0)):
        text = section(stored(), weights, seed)
        assert "Not known" in text
        assert "|" not in text
