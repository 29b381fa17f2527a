"""Where does the verifier go wrong? Its ranking beside the cheapest ones, and its chains taken apart, by layout.

    python benchmarks/verifier_errors.py

Reads the last reproduction (reports/verify, reports/evaluate, data/problems, params.yaml), trains nothing. A chain is
held against the program's on the same candidate, line by line up to the first that differs, and of that line the first
part that differs is counted: the copied equation, the operands' sources, the arithmetic, the digits, the word after
them. A candidate is `worked` if it has several equations, else `compact`. The rankings are AUROCs within problems with
95% intervals over them: of the verifier, of the layout alone, of the length alone. Writes a JSON to results/.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import table as markdown

from proofline.config import load_params
from proofline.data.chain import verify
from proofline.data.equations import find_equations
from proofline.evaluation.ranking import within_problem
from proofline.evaluation.statistics import Estimate, bootstrap_mean
from proofline.records import Problem, Solution, Verification
from proofline.storage.records import iter_records

RESULTS = Path(__file__).parent / "results" / "verifier_errors.json"
PARTS = ("equation", "sources", "arithmetic", "digits", "word")
LINE = re.compile(r"(?P<equation>[^:]*):?(?P<sources>[^;:]*);?(?P<arithmetic>[^:]*):?(?P<digits>.*?)(?P<word>\w*)$")


RANKINGS: dict[str, Callable[[Verification, str], float]] = {
    "GenRM": lambda row, text: row.p_yes,
    "layout: several equations?": lambda row, text: float(worked(text)),
    "length: characters": lambda row, text: float(len(text)),
}
"""What ranks the candidates of a problem."""


def worked(text: str) -> bool:
    return len(find_equations(text)) > 1


def within(
    rows: list[Verification], texts: dict[str, str], score: Callable[[Verification, str], float]
) -> Estimate | None:
    """AUROC within the problems that have right and wrong candidates among these; None of a constant score."""
    by_problem: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        by_problem[row.problem_id].append((float(row.label == "correct"), score(row, texts[row.solution_id])))
    values = np.concatenate([within_problem(*np.array(rows).T[:, None, :]) for rows in by_problem.values()])
    if np.nanmin(values) == np.nanmax(values) == 0.5:
        return None
    return bootstrap_mean(values[np.isfinite(values)], 0.95, 2000, seed=0)


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
            return
        lines["as the program's"] += 1


def main() -> None:
    policy = load_params().verification.policy
    texts = {row.id: row.text for row in iter_records(f"reports/evaluate/{policy}/samples.jsonl", Solution)}
    verified = list(iter_records("reports/verify/verifications.jsonl", Verification))
    among = {"all": verified, "worked": [row for row in verified if worked(texts[row.solution_id])]}
    rankings = {
        name: {kind: within(rows, texts, score) for kind, rows in among.items()} for name, score in RANKINGS.items()
    }
    cells = [
        [name, *(f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" if one else "none" for one in row.values())]
        for name, row in rankings.items()
    ]
    print(markdown(["AUROC within problems by", *among], cells))
    questions = {row.id: row.question for row in iter_records("data/problems/test.jsonl", Problem)}
    lines: Counter[str] = Counter()
    accepted: dict[str, list[bool]] = defaultdict(list)
    for row in verified:
        layout = "worked" if worked(texts[row.solution_id]) else "compact"
        accepted[f"{layout}, {'right' if row.label == 'correct' else 'wrong'}"].append(row.p_yes > 0.5)
        for chain in row.chains:
            read_chain(chain, questions[row.problem_id], texts[row.solution_id], lines)
    table = {name: {"candidates": len(votes), "accepted": sum(votes) / len(votes)} for name, votes in accepted.items()}
    for name, cell in sorted(table.items()):
        print(f"{name:16} {cell['candidates']:6} candidates, {100 * cell['accepted']:5.1f}% accepted")
    for name, count in lines.most_common():
        print(f"{name:28} {count:7}")
    RESULTS.parent.mkdir(exist_ok=True)
    told = {name: {kind: one and one._asdict() for kind, one in row.items()} for name, row in rankings.items()}
    result = {"policy": policy, "rankings": told, "candidates": table, "lines": lines}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
