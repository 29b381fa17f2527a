"""How often do the graders err? Each of the two and both together, on published answers whose right verdict is known.

    python benchmarks/grader_audit.py [--data ../shared/data] [--workers 2] [--sample 1.0]

Three parts: the 9,415 labelled GSM8K candidates, with the published labels and with those that misread the solution
put right (label_errors.json, looked at one by one); the references of GSM8K and MATH in other spellings, which are
right; and with one slip, which are wrong (respellings.py). A false accept is a wrong answer called right, a false
reject a right one called wrong; an answer without a verdict is neither, and counted apart. Both graders together err
where they err alike. Writes results/grader_audit.json and the tables in docs/grading.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from report import table, write_result
from respellings import kind_of, perturbed, respelled

from proofline.answers import clean
from proofline.data.critiques import FILE, read_published
from proofline.data.published import BENCHMARKS
from proofline.evaluation.statistics import wilson
from proofline.grading import grade_all
from proofline.records import Decoding, Grade, Problem, Solution, stable_id
from proofline.storage.tables import read_table

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "grading.md"
BEGIN, END = "<!-- audit -->", "<!-- /audit -->"
UNKNOWN = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=1)
GRADERS = ("first", "second", "both")
LABEL_ERRORS = Path(__file__).parent / "label_errors.json"
LISTED = 40
"""Errors that the results list, of each sort."""


class Case(NamedTuple):
    """An answer whose right verdict is known."""

    part: str
    answer_kind: str
    change: str
    right: bool
    solution: Solution


def references(data: str) -> list[Problem]:
    """Every GSM8K and MATH problem that states an answer."""
    rows = []
    for source, splits in (("gsm8k", ("train", "test")), ("math", ("train", "test"))):
        for split in splits:
            rows += [BENCHMARKS[source].to_problem(row, split) for row in read_table(data, f"{source}_{split}")]  # type: ignore[arg-type]
    return [problem for problem in rows if problem.answer]


def changed(problems: Sequence[Problem], sample: float) -> Iterable[Case]:
    """Each reference in other spellings, and with one slip; a slip only where it changes the text."""
    for problem in problems:
        rng = Random(problem.id)
        if rng.random() > sample:
            continue
        kind, answer = kind_of(problem.answer), clean(problem.answer)
        rows = [(change, text, True) for change, text in respelled(problem.answer)]
        rows += [(change, text, False) for change, text in perturbed(problem.answer, rng) if clean(text) != answer]
        yield case(problem, "respelled", kind, "its own solution", True, problem.solution, 0)
        for at, (change, text, right) in enumerate(rows, 1):
            boxed = text if " or else " not in text else text.split(r" \text{ or else } ")[0]
            yield case(problem, "respelled" if right else "one slip", kind, change, right, rf"\boxed{{{boxed}}}", at)


def candidates(data: str, problems: Sequence[Problem]) -> Iterable[Case]:
    rows = list(read_table(data, FILE))
    train = [problem for problem in problems if problem.source == "gsm8k" and problem.split == "train"]
    by_id = {problem.id: problem for problem in train}
    misread = {row["solution"] for row in json.loads(LABEL_ERRORS.read_text())}
    labels = {
        stable_id("published", Problem.make_id("gsm8k", str(fields["question"]).strip()), fields["solution_id"]): fields
        for _, fields in rows
    }
    for solution in read_published(rows, train).solutions:
        kind = kind_of(by_id[solution.problem_id].answer)
        label = labels[solution.id]["is_correct"] is True
        yield Case("candidates, as labelled", kind, "label", label, solution)
        yield Case("candidates, labels put right", kind, "label", label != (solution.id in misread), solution)


def case(problem: Problem, part: str, kind: str, change: str, right: bool, text: str, index: int) -> Case:
    solution = Solution(
        id=f"{problem.id}-{index}", problem_id=problem.id, policy="reference", weights="", decoding=UNKNOWN,
        sample_index=index, seed=0, text=text, num_tokens=0, logprob=0.0, finished=True,
    )  # fmt: skip
    return Case(part, kind, change, right, solution)


def verdicts(grade: Grade) -> dict[str, str]:
    both = grade.verdict if grade.agreed else "unparsed"
    return {"first": grade.verdict, "second": str(grade.second_verdict), "both": both}


def rates(graded: Iterable[tuple[Case, Grade]]) -> dict[str, Any]:
    """False accepts among wrong answers, false rejects among right ones, and the share without a verdict."""
    counts: dict[str, Counter[tuple[bool, str]]] = {name: Counter() for name in GRADERS}
    for one, grade in graded:
        for name, verdict in verdicts(grade).items():
            counts[name][one.right, verdict] += 1
    measured: dict[str, Any] = {}
    for name, seen in counts.items():
        right, wrong = (sum(n for (is_right, _), n in seen.items() if is_right == side) for side in (True, False))
        undecided = sum(n for (_, verdict), n in seen.items() if verdict == "unparsed")
        measured[name] = {
            "right": right,
            "wrong": wrong,
            "false_accepts": share(seen[False, "correct"], wrong),
            "false_rejects": share(seen[True, "wrong"], right),
            "without_verdict": share(undecided, right + wrong),
        }
    return measured


def share(count: int, total: int) -> dict[str, Any]:
    value, low, high = wilson(count, total, 0.95)
    return {"count": count, "of": total} if not total else {
        "count": count, "of": total, "share": value, "low": low, "high": high
    }  # fmt: skip


def errors(graded: Iterable[tuple[Case, Grade]], problems: dict[str, Problem]) -> dict[str, list[dict[str, Any]]]:
    """What went wrong, by part: up to `LISTED` errors of each grader and change, distinct ones."""
    listed: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: set[tuple[str, ...]] = set()
    for one, grade in graded:
        said = verdicts(grade)
        wrong = [name for name in GRADERS if said[name] == ("wrong" if one.right else "correct")]
        key = (one.part, str(grade.extracted), problems[grade.problem_id].answer)
        if not wrong or key in seen or (len(listed[one.part]) >= LISTED):
            continue
        seen.add(key)
        listed[one.part].append({
            "solution": one.solution.id, "change": one.change, "answer": grade.extracted,
            "reference": problems[grade.problem_id].answer, "right": one.right, "erring": wrong,
            **({"text": one.solution.text[-160:]} if one.change == "label" else {}),
        })  # fmt: skip
    return listed


def by(key: str, graded: Sequence[tuple[Case, Grade]]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[tuple[Case, Grade]]] = defaultdict(list)
    for row in graded:
        groups[getattr(row[0], key)].append(row)
    return {name: rates(groups[name]) for name in sorted(groups)}


def lines(measured: dict[str, dict[str, Any]], of: str) -> str:
    measures = [f"{what} %, {name}" for what in ("false accepts", "false rejects") for name in GRADERS]
    header = [of, "right", "wrong", *measures, "no verdict %, both"]
    rows = [
        [name, str(row["both"]["right"]), str(row["both"]["wrong"]),
         *(percent(row[grader][what]) for what in ("false_accepts", "false_rejects") for grader in GRADERS),
         percent(row["both"]["without_verdict"])]
        for name, row in measured.items()
    ]  # fmt: skip
    return table(header, rows)


def percent(cell: dict[str, Any]) -> str:
    return f"{100 * cell['share']:.2f} [{100 * cell['low']:.2f}, {100 * cell['high']:.2f}]" if cell["of"] else "—"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=float, default=1.0, help="share of the references; below 1 nothing is written")
    options = parser.parse_args()
    problems = references(options.data)
    by_id = {problem.id: problem for problem in problems}
    cases = [*candidates(options.data, problems), *changed(problems, options.sample)]
    began = time.perf_counter()
    grades = grade_all([one.solution for one in cases], by_id, workers=options.workers)
    seconds = time.perf_counter() - began
    graded = list(zip(cases, grades, strict=True))
    made = [row for row in graded if row[0].change != "label"]
    parts, kinds, changes = by("part", graded), by("answer_kind", made), by("change", made)
    text = "\n\n".join([lines(parts, "part"), lines(kinds, "kind of answer"), lines(changes, "change")])
    print(text, f"\n{len(graded)} answers in {seconds:.0f} s")
    found = errors(graded, by_id)
    for part, rows in found.items():
        for row in rows if part != "candidates, as labelled" else []:
            print(part, row)
    if options.sample == 1.0:
        settings = {"workers": options.workers, "references": len(problems)}
        write_result(
            "grader_audit", settings, ["math-verify", "latex2sympy2_extended", "sympy", "mpmath"], answers=len(graded),
            seconds=round(seconds, 1), parts=parts, answer_kinds=kinds, changes=changes, errors=found,
        )  # fmt: skip
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
