"""How far a judge that reads solutions can be believed: order, length, and the reference answer against its verdicts.

In: its judgements of one policy, those by the reference answer, both solutions' lengths. Out: numbers with intervals
over clusters. Identical solutions tie without being judged, and say nothing about the judge.

- *flip rate*: of the problems with a verdict in both orders, the share whose two verdicts differ;
- *position bias*: how much more often the solution shown first wins than the one shown second: -1 to 1;
- *agreement*: share of judged problems with the reference answer's winner; also of those where only one is right;
- *length-controlled* win rate: see `length_control`;
- *bounds* of the win rate: every problem without a verdict lost, and every one won (Manski 2003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.length_control import length_controlled
from proofline.evaluation.metrics import Metrics
from proofline.records import Judgement, Problem, Side

_Over = Callable[[Sequence[Judgement]], Clusters]
WORTH: Mapping[Side, float] = {"policy": 1.0, "tie": 0.5, "opponent": 0.0}


def judge_metrics(
    problems: Sequence[Problem],
    judgements: Sequence[Judgement],
    truth: Sequence[Judgement],
    lengths: Mapping[str, tuple[int, int]],
    section: Evaluation,
    seed: int,
) -> Metrics:
    """Of one policy. `truth` stands in the order of `judgements`; `lengths`: ours and theirs, by problem."""
    of = {problem.id: problem for problem in problems}

    def over(rows: Sequence[Judgement]) -> Clusters:
        return Clusters.of([of[row.problem_id] for row in rows], section, seed)

    decided = [row for row in judgements if row.winner]
    worth = np.array([WORTH[row.winner] for row in decided if row.winner], float)
    longer = np.array([np.subtract(*lengths[row.problem_id]) for row in decided], float)
    rate, effect = length_controlled(worth, longer, over(decided))
    pairs = [(row, right) for row, right in zip(judgements, truth, strict=True) if row.winner and _was_judged(row)]
    total = max(len(judgements), 1)
    return {
        "without_verdict": len(judgements) - len(decided),
        "win_rate_bounds": {
            "low": float(worth.sum()) / total, "high": float(worth.sum() + len(judgements) - len(decided)) / total
        },
        "judged": sum(map(_was_judged, judgements)),
        "identical": sum(row.winner == "tie" and not _was_judged(row) for row in judgements),
        "length_controlled": rate._asdict(),
        "length_effect": effect,
        "agreement": _agreement(pairs, over),
        "agreement_where_one_is_right": _agreement([pair for pair in pairs if pair[1].winner != "tie"], over),
        **_orders([row for row in judgements if None not in row.by_order and row.by_order], over),
        "tokens": sum(sum(row.tokens) for row in judgements),
    }  # fmt: skip


def _was_judged(row: Judgement) -> bool:
    return bool(row.by_order or row.scores)


def _agreement(pairs: Sequence[tuple[Judgement, Judgement]], over: _Over) -> Metrics:
    same = np.array([row.winner == right.winner for row, right in pairs], bool)
    return {**over([row for row, _ in pairs]).mean(same)._asdict(), "problems": len(pairs)}


def _orders(rows: Sequence[Judgement], over: _Over) -> Metrics:
    """Flip rate and position bias; neither of a judge that sees one solution at a time."""
    if not rows:
        return {}
    flipped = np.array([len(set(row.by_order)) > 1 for row in rows], bool)
    # The policy's solution is shown first, then second.
    first = np.array([(_sign(row.by_order[0]) - _sign(row.by_order[1])) / 2 for row in rows])
    clusters = over(rows)
    return {
        "flip_rate": clusters.mean(flipped)._asdict(),
        "position_bias": clusters.compare(np.maximum(first, 0), np.maximum(-first, 0)).difference._asdict(),
    }


def _sign(side: Side | None) -> float:
    assert side is not None
    return 2 * WORTH[side] - 1
