"""Where does the verifier go wrong? Its chains taken apart: recomputation, comparison, verdict, by layout.

    python benchmarks/verifier_errors.py

Reads the last reproduction (reports/verify, reports/evaluate, params.yaml) and trains nothing. A line of a chain states
two equations and calls them match or mismatch; whether the second is arithmetically true and whether the word fits the
two can be counted. A candidate is `worked` if it has several equations, else `compact`. Writes a JSON to results/.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from proofline.config import load_params
from proofline.data.equations import find_equations
from proofline.records import Solution, Verification
from proofline.storage.records import iter_records

RESULTS = Path(__file__).parent / "results" / "verifier_errors.json"


def read_chain(chain: str, lines: Counter[str]) -> None:
    """Count what the chain's comparison lines got right."""
    for line in chain.splitlines():
        found = find_equations(line)
        if len(found) != 2 or not line.endswith("match"):
            continue
        same, said_same = found[0].same_as(found[1]), line.endswith(": match")
        lines["lines"] += 1
        lines["recomputed right"] += found[1].value == found[1].right
        lines["equal, called match" if same and said_same else "equal, called mismatch" if same
              else "different, called match" if said_same else "different, called mismatch"] += 1  # fmt: skip


def main() -> None:
    policy = load_params().verification.policy
    texts = {row.id: row.text for row in iter_records(f"reports/evaluate/{policy}/samples.jsonl", Solution)}
    lines: Counter[str] = Counter()
    accepted: dict[str, list[bool]] = defaultdict(list)
    for row in iter_records("reports/verify/verifications.jsonl", Verification):
        layout = "worked" if len(find_equations(texts[row.solution_id])) > 1 else "compact"
        accepted[f"{layout}, {'right' if row.label == 'correct' else 'wrong'}"].append(row.p_yes > 0.5)
        for chain in row.chains:
            read_chain(chain, lines)
    table = {name: {"candidates": len(votes), "accepted": sum(votes) / len(votes)} for name, votes in accepted.items()}
    for name, cell in sorted(table.items()):
        print(f"{name:16} {cell['candidates']:6} candidates, {100 * cell['accepted']:5.1f}% accepted")
    for name, count in lines.most_common():
        print(f"{name:28} {count:7}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"policy": policy, "candidates": table, "lines": lines}, indent=2) + "\n")


if __name__ == "__main__":
    main()
