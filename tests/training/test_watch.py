"""What a preference optimisation tells of itself: falling likelihood of the chosen, and lengths."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_rows import DPO, PROMPTS, Recorded, some_pairs

from proofline.training.dpo import off_policy, train_dpo
from proofline.training.execution import Execution
from proofline.training.watch import CHANGE, warnings


def trained(policy: Path, out: Path, pairs: list, **changes: object) -> tuple[dict[str, float], Recorded]:
    run = Recorded()
    metrics = train_dpo(
        policy, pairs, PROMPTS, DPO.model_copy(update={"epochs": 4.0, **changes}), 0, out / "dpo", run,
        execution=Execution(threads=1),
    )  # fmt: skip
    return metrics, run


def test_a_fall_of_the_chosen_is_logged_and_told(tiny_policy: Path, tmp_path: Path) -> None:
    """Rejected sides made of the chosen one's own words: both sink, and the loss looks fine."""
    pairs = [pair.model_copy(update={"rejected": f"{pair.chosen}\n" * 3}) for pair in some_pairs()]
    metrics, run = trained(tiny_policy, tmp_path, pairs)
    curve = [point[CHANGE] for _, point in run.curves if CHANGE in point]
    assert len(curve) > 8
    assert metrics[f"final_{CHANGE}"] == curve[-1] < 0
    assert "the chosen solutions became less likely" in run.tags["proofline.warning"]
    assert metrics["final_loss"] < 0.7


def test_a_training_that_keeps_the_chosen_likely_is_not_warned_of(tiny_policy: Path, tmp_path: Path) -> None:
    pairs = [pair.model_copy(update={"rejected": pair.chosen.replace("=", "-")}) for pair in some_pairs()]
    metrics, run = trained(tiny_policy, tmp_path, pairs, sft_weight=1.0)
    assert metrics[f"final_{CHANGE}"] > 0
    assert "proofline.warning" not in run.tags
    assert metrics["length_ratio"] == pytest.approx(1, abs=0.1)


def test_lengths_that_tell_which_side_is_right_are_told(tiny_policy: Path, tmp_path: Path) -> None:
    pairs = [pair.model_copy(update={"rejected": "#### 1"}) for pair in some_pairs()]
    metrics, run = trained(tiny_policy, tmp_path, pairs, sft_weight=1.0, epochs=1.0)
    assert metrics["length_ratio"] > 2
    assert "times the tokens of rejected ones" in run.tags["proofline.warning"]


@pytest.mark.parametrize(
    ("changes", "ratio", "told"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1.0, 0),
        ([-5.0, -5.0, -5.0, 0.4], 1.0, 0),
        ([0.1, 0.2, 0.3, -0.4], 1.0, 1),
        ([-0.2], 0.5, 2),
        ([], 1.3, 1),
        ([0.0], 1.25, 0),
        ([-1e-5], 1.0, 0),
    ],
)
def test_warnings(changes: list[float], ratio: float, told: int) -> None:
    assert len(warnings(changes, ratio)) == told


def test_pairs_of_other_weights_are_counted() -> None:
    pairs = some_pairs(4)
    assert off_policy(pairs, "w") == 0
    assert off_policy(pairs, "other") == 4
    moved = pairs[0].rejected_from.model_copy(update={"weights": ""})
    assert off_policy([pairs[0].model_copy(update={"rejected_from": moved}), *pairs[1:]], "w") == 1
