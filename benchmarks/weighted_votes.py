"""Would any other weight do what GenRM does for the vote? The majority vote weighted by what costs nothing.

    python benchmarks/weighted_votes.py

Reads the last reproduction (reports/verify, reports/evaluate, data/problems, params.yaml), trains nothing. Weights:
the sampler's probability of the sample, the same per token, its rank among the problem's samples, and one bit, whether
the sample shows its steps; beside them GenRM, and the program's check, which does all the arithmetic. Differences are
over clusters, as in the report, and not adjusted for their number. Writes a JSON to results/.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import table, write_result

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))
from verify import appearance

from proofline.config import load_params
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import paired_json
from proofline.evaluation.scored import Scored, gather, shows_steps
from proofline.evaluation.selection import Floats, vote_at_k
from proofline.evaluation.tally import tally
from proofline.records import Grade, Problem, Solution, Verification
from proofline.storage.records import read_records

WEIGHTS: dict[str, Callable[[Scored], Floats]] = {
    "GenRM": lambda scored: scored.p_yes,
    "the sampler's probability": lambda scored: np.exp(scored.logprobs),
    "the sampler's probability per token": lambda scored: np.exp(scored.logprobs / scored.tokens),
    "rank of the sampler's probability": lambda scored: scored.logprobs.argsort(1).argsort(1) + 1.0,
    "shows its steps": lambda scored: np.where(np.vectorize(shows_steps)(scored.equations), 1.0, 1e-9),
    "the program's check": lambda scored: scored.check,
}


def main() -> None:
    params = load_params()
    folder = Path("reports/evaluate") / params.verification.policy
    verified = read_records("reports/verify/verifications.jsonl", Verification)
    seen = {row.problem_id for row in verified}
    problems = [row for row in read_records("data/problems/test.jsonl", Problem) if row.id in seen]
    by_id = {problem.id: problem for problem in problems}
    samples = read_records(folder / "samples.jsonl", Solution)
    looks = {row.id: appearance(by_id[row.problem_id], row) for row in samples if row.problem_id in by_id}
    grades = [row for row in read_records(folder / "sample_grades.jsonl", Grade) if row.problem_id in by_id]
    scored = gather(tally(problems, grades), verified, looks.items())
    clusters = Clusters.of(problems, params.evaluation, params.seed)
    count = scored.answers.shape[1]

    def votes(weights: Floats) -> Floats:
        pairs = zip(scored.answers, weights, strict=True)
        return np.array([vote_at_k(answers, count, mine) for answers, mine in pairs], float)

    majority = votes(np.ones(scored.answers.shape))
    found = {name: votes(weigh(scored)) for name, weigh in WEIGHTS.items()}
    rows = {
        name: {
            "accuracy": float(right.mean()),
            "over_majority": paired_json(clusters.compare(right, majority)),
            "genrm_over": paired_json(clusters.compare(found["GenRM"], right)),
        }
        for name, right in found.items()
    }
    print(f"{len(problems)} problems, {count} samples each; majority vote {100 * majority.mean():.1f}%")
    columns = ("over_majority", "genrm_over")
    shown = [
        [name, f"{100 * row['accuracy']:.1f}", *(spelled(row[one]) for one in columns)] for name, row in rows.items()
    ]
    print(table(["vote weighted by", "right, %", "over the vote, points", "GenRM over it, points"], shown))
    settings = {"policy": params.verification.policy, "weights": samples[0].weights, "seed": params.seed}
    write_result("weighted_votes", settings, ["numpy"], majority=float(majority.mean()), votes=rows)


def spelled(paired: dict) -> str:
    value, low, high = (100 * paired["difference"][name] for name in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


if __name__ == "__main__":
    main()
