"""Where does the verifier go wrong? Its chains taken apart: copying, sources, recomputation, comparison, by layout.

    python benchmarks/verifier_errors.py

Reads the last reproduction (reports/verify, reports/evaluate, data/problems, params.yaml), trains nothing. A chain is
held against the program's on the same candidate, line by line up to the first that differs, and of that line the first
part that differs is counted: the copied equation, the operands' sources, the operation that tests it, the digits that
come out (zipped with those that have to), the word after them. A candidate is `worked` if it has several equations,
else `compact`. Writes a JSON to results/.
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
PARTS = ("equation", "sources", "operation", "digits", "word")
LINE = re.compile(r"(?P<equation>[^:]*):?(?P<sources>[^;:]*);?(?P<operation>[^:]*):?(?P<digits>.*?)(?P<word>\w*)$")


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
            if wrong == "digits":
                lines[f"first difference: digits, {told(parts[0]['digits'], parts[1]['digits'])}"] += 1
            return
        lines["as the program's"] += 1


def told(mine: str, other: str) -> str:
    """Of zipped digits that differ from the program's: what is wrong in the first pair that does?"""
    pairs = ((one, right) for one, right in zip(mine.split(), other.split(), strict=False) if one != right)
    one, right = next(pairs, ("", ""))
    if len(one) != 2 or len(right) != 2:
        return "another number of them"
    if one[0] == right[0]:
        return "the wanted one copied wrongly"
    if right[0] == right[1]:
        return "computed wrongly, of a right result"
    return "computed as wanted, of a wrong result" if one[0] == one[1] else "computed wrongly, of a wrong result"


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
