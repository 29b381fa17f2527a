"""lm-evaluation-harness beside Proofline's own evaluation: same weights, same prompts, every difference explained.

    python benchmarks/crosscheck.py dpo --harness ../harness/bin/python
    python benchmarks/crosscheck.py smollm2 --harness … --model FOLDER --problems ../shared/data/gsm8k_test.jsonl.gz \\
        --limit 60 --max-new-tokens 200 --prompt '{question} …'

Both decode greedily, in fp32 on the CPU: the harness by its own command line (crosscheck_harness.py), Proofline by what
its stages call (crosscheck_ours.py). Tokens are compared with tokens; where they part, the model's two largest logits
say how near a tie it was. Then the harness's readers are held against Proofline's graders by the machinery of
`proofline compare`, and each item that they count differently gets its cause (crosscheck_causes.py). `--undo` takes
back one of the harness's settings at a time. Writes results/crosscheck_NAME.json; docs/crosscheck.md tells the rest.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from crosscheck_causes import KINDS, Answer, Both, first_difference, until_end
from crosscheck_harness import UNDONE, Answered, Settings, about, ask
from crosscheck_ours import Ours, answer, read_problems
from report import table, write_result

from proofline.comparison.compare import Comparison, compare
from proofline.comparison.pairing import pair
from proofline.comparison.show import as_text
from proofline.config import load_environment, load_params
from proofline.config.schema import Prompts
from proofline.data.prompts import solution_messages
from proofline.grading import grade_all
from proofline.launch.instructions import settle
from proofline.records import Decoding, Problem, stable_id

GRADER = "Proofline's grader"
LISTED = 5
"""Items of each sort that are printed; the results have all."""


def beside(problems: Sequence[Problem], ours: Ours, answered: Answered, workers: int) -> list[Both]:
    """Both sides of each problem, both texts graded by Proofline."""
    end = ours.tokenizer.eos_token_id
    behind = [until_end(one.token_ids, ours.ends, end) for one in answered.generations]
    theirs = [
        solution.model_copy(
            update={"id": stable_id("harness", solution.id), "text": one.text, "finished": tokens[-1:] == [end]}
        )
        for solution, one, tokens in zip(ours.solutions, answered.generations, behind, strict=True)
    ]
    grades = grade_all([*ours.solutions, *theirs], {problem.id: problem for problem in problems}, workers=workers)
    return [
        Both(
            problem,
            Answer(ours.noted.prompt_ids[problem.id], ours.tokens(solution), mine),
            Answer(one.prompt_ids, tokens, other),
            one.taken,
            one.right,
        )
        for problem, solution, one, tokens, mine, other in zip(
            problems, ours.solutions, answered.generations, behind, grades[: len(theirs)], grades[len(theirs) :],
            strict=True,
        )
    ]  # fmt: skip


def paired(rows: Sequence[Both], answered: Answered) -> Comparison:
    """Proofline's verdicts against the harness's, reader by reader, and Proofline's own on both texts."""
    theirs = answered.log
    items = {
        key: item._replace(cluster=row.problem.cluster)
        for (key, item), row in zip(theirs.items.items(), rows, strict=True)
    }

    def right(values: Sequence[bool]) -> dict[str, float]:
        return dict(zip(items, map(float, values), strict=True))

    evaluated = right([row.ours.right for row in rows])
    by_reader = dict.fromkeys((GRADER, *theirs.metrics), evaluated)
    regraded = {GRADER: right([row.theirs.right for row in rows]), **theirs.metrics}
    mine = replace(theirs, origin="its decoding loop and its grader", items=items, metrics=by_reader, sources=())
    other = replace(theirs, origin="its log", items=items, metrics=regraded)
    return compare(pair([mine.named("Proofline")], [other.named("lm-evaluation-harness")]))


def parted(row: Both, ours: Ours) -> dict[str, Any] | None:
    """The first token that differs, each side's, and the two largest logits there; None where there is none."""
    at = first_difference(row.ours.token_ids, row.theirs.token_ids)
    if at is None:
        return None
    (first, high), (second, low) = ours.largest([*row.ours.prompt_ids, *row.ours.token_ids[:at]])
    mine, other = (ours.decode(one.token_ids[at : at + 1]) for one in (row.ours, row.theirs))
    return {
        "problem": row.problem.id, "token": at, "proofline": mine, "harness": other, "largest": [first, second],
        "gap": high - low, "right": [row.ours.right, row.theirs.right],
    }  # fmt: skip


def caused(rows: Sequence[Both], reader: str) -> dict[str, list[str]]:
    """The items that Proofline and this reader count differently, by cause."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if kind := row.cause(reader):
            found[kind].append(row.told(reader))
    return {kind: found[kind] for kind in KINDS if kind in found}


def summary(rows: Sequence[Both]) -> dict[str, Any]:
    """How much of a run of the harness is as on Proofline's side, and the shares that are right."""
    shares = {GRADER: [row.theirs.right for row in rows]}
    shares |= {reader: [row.right[reader] for row in rows] for reader in rows[0].right}
    return {
        "same prompts": sum(list(row.ours.prompt_ids) == list(row.theirs.prompt_ids) for row in rows),
        "same generations": sum(first_difference(row.ours.token_ids, row.theirs.token_ids) is None for row in rows),
        **{name: sum(values) / len(values) for name, values in shares.items()},
    }


def measured(found: Comparison) -> dict[str, Any]:
    return {
        one.metric: {
            "proofline": one.a, "harness": one.b, "difference": one.difference._asdict(), "p_value": one.p_value,
            "proofline_higher": one.a_better, "harness_higher": one.b_better, "equal": one.ties,
        }
        for one in found.measured
    }  # fmt: skip


def show(
    found: Comparison, runs: Mapping[str, dict[str, Any]], parts: Sequence[dict[str, Any]], causes: dict[str, Any]
) -> None:
    print(as_text(found))
    cells = [
        [name, *(f"{100 * value:.1f}%" if isinstance(value, float) else str(value) for value in one.values())]
        for name, one in runs.items()
    ]
    print(table(["the harness", *next(iter(runs.values()))], cells))
    print(f"\n{len(parts)} generations part from Proofline's")
    for one in parts:
        print("  {problem}: token {token}, Proofline {proofline!r}, harness {harness!r}, gap {gap:.2g}".format(**one))
    for reader, kinds in causes.items():
        for kind, items in kinds.items():
            print(f"\n{reader}: {kind}, {len(items)} items", *items[:LISTED], sep="\n  ")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    params = load_params()
    parser.add_argument("name", help="of the results")
    parser.add_argument("--harness", required=True, metavar="PYTHON", help="of an environment with lm_eval")
    parser.add_argument("--model", type=Path, default=Path("models/dpo"))
    parser.add_argument("--problems", type=Path, default=Path("data/problems/test.jsonl"))
    parser.add_argument("--limit", type=int, metavar="N", help="problems, the stages' own subset")
    parser.add_argument("--prompt", default=params.prompts.solution)
    parser.add_argument("--max-new-tokens", type=int, default=params.evaluation.max_new_tokens)
    parser.add_argument("--undo", nargs="+", choices=UNDONE, default=[], help="settings of the harness, one at a time")
    return parser.parse_args()


def asked(problems: Sequence[Problem], prompts: Prompts) -> list[dict[str, str]]:
    """The harness's documents: what the user says, and the reference."""
    said = [solution_messages(problem.question, prompts)[0]["content"] for problem in problems]
    return [
        {"id": problem.id, "prompt": prompt, "answer": problem.answer}
        for problem, prompt in zip(problems, said, strict=True)
    ]


def main() -> None:
    options, environment, inherited = arguments(), load_environment(), dict(os.environ)
    settle(environment)  # for this process; the harness gets the variables as they were
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # on a card Proofline decodes in bf16
    problems = read_problems(options.problems, options.limit)
    prompts = Prompts(solution=options.prompt, verification=load_params().prompts.verification)
    decoding = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=options.max_new_tokens)
    versions, _ = about(options.harness)
    ours = answer(options.model, problems, prompts, decoding, environment.sampling_rows)

    def run(settings: Settings) -> tuple[Answered, list[Both]]:
        answered = ask(options.harness, options.model, asked(problems, prompts), settings, inherited)
        return answered, beside(problems, ours, answered, environment.grader_workers)

    settings = Settings(decoding.max_new_tokens, tuple(ours.decode([one]) for one in ours.ends))
    answered, rows = run(settings)
    found, parts = paired(rows, answered), [part for row in rows if (part := parted(row, ours))]
    causes = {reader: caused(rows, reader) for reader in rows[0].right}
    undone = {name: summary(run(replace(settings, **UNDONE[name]))[1]) for name in options.undo}
    runs = {"as set": summary(rows), **undone}
    show(found, runs, parts, causes)
    counts = {reader: {kind: len(items) for kind, items in kinds.items()} for reader, kinds in causes.items()}
    write_result(
        f"crosscheck_{options.name}",
        {"weights": ours.solutions[0].weights, "problems": len(problems), "clusters": found.clusters,
         "prompt": options.prompt, "proofline_rows": environment.sampling_rows, **asdict(settings)},
        ["torch", "transformers", "math-verify"], harness=versions, runs=runs, compared=measured(found),
        generations_that_part=parts, causes=counts, items=causes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
