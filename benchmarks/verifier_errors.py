"""Where does the verifier go wrong? Its chains taken apart: copying, sources, recomputation, comparison, by layout.

    python benchmarks/verifier_errors.py

Reads the last reproduction (reports/verify, reports/evaluate, data/problems, params.yaml), trains nothing. A chain is
held against the program's on the same candidate, line by line up to the first that differs, and of that line the first
part that differs is counted: the copied equation, the operands' sources, the arithmetic, the digits, the word after
them. A candidate is `worked` if it has several equations, else `compact`. Writes a JSON to results/.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

from proofline.config import load_params
from proofline.data.chain import verify
from proofline.data.equations import find_equations
from proofline.records import Problem, Solution, Verification
from proofline.storage.records import iter_records

RESULTS = Path(__file__).parent / "results" / "verifier_errors.json"
PARTS = ("equation", "sources", "arithmetic", "digits", "word")
LINE = re.compile(r"(?P<equation>[^:]*):?(?P<sources>[^;:]*);?(?P<arithmetic>[^:]*):?(?P<digits>.*?)(?P<word>\w*)$")


def read_chain(chain: str, question: str, candidate: str, lines: Counter[str]) -> None:
    """Count the lines that are as the program's, and what is wrong in the first that is not."""
    right = verify(question, candidate)
    if right is None:
        return
    for mine, other in zip(chain.splitlines(), right.text.splitlines(), strict=False):
        lines["lines"] += 1
        if mine != other:
            parts = [LINE.match(line) for line in (mine, other)]
            wrong = next((part for part in PARTS if parts[0] and parts[1] and parts[0][part] != parts[1][part]), "word")
            lines[f"first difference: {wrong}"] += 1
            if wrong == "arithmetic":
                lines[f"first difference: arithmetic, {told(mine, other)}"] += 1
            return
        lines["as the program's"] += 1


def told(mine: str, other: str) -> str:
    """Of a line with wrong arithmetic: does it give the candidate's wrong result for its own?"""
    claimed, ours, right = (find_equations(part) for part in (mine.split(":")[0], *map(work, (mine, other))))
    if not (claimed and ours and right) or claimed[0].right == right[-1].right:
        return "of a right result"
    return "as the candidate's" if ours[-1].right == claimed[0].right else "another than the candidate's"


def work(line: str) -> str:
    return line.partition(";")[2]


def main() -> None:
    policy = load_params().verification.policy
    texts = {row.id: row.text for row in iter_records(f"reports/evaluate/{policy}/samples.jsonl", Solution)}
    questions = {row.id: row.question for row in iter_records("data/problems/test.jsonl", Problem)}
    lines: Counter[str] = Counter()
    accepted: dict[str, list[bool]] = defaultdict(list)
    for row in iter_records("reports/verify/verifications.jsonl", Verification):
        layout = "worked" if len(find_equations(texts[row.solution_id])) > 1 else "compact"
        name = f"{layout}, {'right' if row.label == 'correct' else 'wrong'}"
        accepted[name].append(row.p_yes > 0.5)
        checked = verify(questions[row.problem_id], texts[row.solution_id])
        accepted[f"{name}, by the program"].append(checked is not None and checked.accepts)
        for chain in row.chains:
            read_chain(chain, questions[row.problem_id], texts[row.solution_id], lines)
    table = {name: {"candidates": len(votes), "accepted": sum(votes) / len(votes)} for name, votes in accepted.items()}
    for name, cell in sorted(table.items()):
        print(f"{name:32} {cell['candidates']:6} candidates, {100 * cell['accepted']:5.1f}% accepted")
    for name, count in lines.most_common():
        print(f"{name:56} {count:7}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"policy": policy, "candidates": table, "lines": lines}, indent=2) + "\n")


if __name__ == "__main__":
    main()
