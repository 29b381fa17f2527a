"""build_pairs: graded samples of the SFT policy -> data/pairs.jsonl and its ledger, data/pairs.json."""

from __future__ import annotations

from collections import Counter

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.data.graded import by_problem, graded
from proofline.data.pairs import build_pairs, ledger
from proofline.records import Grade, Problem, Solution
from proofline.storage.artifacts import write_json
from proofline.storage.records import iter_records, write_records
from proofline.tracking import track

SAMPLES = {"sft": "data/samples/sft.jsonl", "published": "data/published.jsonl"}


def main() -> None:
    params = load_params()
    with track("build_pairs", sections={"pairs": params.pairs, "seed": params.seed}) as run:
        candidates = [
            graded(iter_records(path, Solution), iter_records(f"data/grades/{policy}.jsonl", Grade))
            for policy, path in SAMPLES.items()
        ]
        sampled = by_problem(iter_records("data/problems/train.jsonl", Problem), *candidates)
        counts: Counter[str] = Counter()
        write_records("data/pairs.jsonl", build_pairs(sampled, params.pairs, params.seed, counts))
        write_json("data/pairs.json", ledger(counts))
        run.log_metrics(ledger(counts))


if __name__ == "__main__":
    main()
