"""`proofline explain demonstration|pair|trace|sample ID`: a row's whole story, its solutions drawn again.

Reads what the stages wrote (data/, reports/evaluate/, models/) from the repository's root, writes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from proofline.config.schema import EVALUATED, Params
from proofline.data.candidates import WRITTEN, written_candidates
from proofline.data.chain import verify
from proofline.data.prompts import Message, solution_messages, verdict
from proofline.records import (
    SPLITS,
    Decoding,
    Demonstration,
    Grade,
    Origin,
    PreferencePair,
    Problem,
    Record,
    Solution,
    VerificationTrace,
)
from proofline.storage.records import iter_records
from proofline.storage.weights import WeightsError, weights_hash

R = TypeVar("R", PreferencePair, VerificationTrace, Solution, Problem, Demonstration)
PAIRS, TRACES, DEMONSTRATIONS = "data/pairs.jsonl", "data/traces.jsonl", "data/demonstrations.jsonl"
GRADED = {
    **{f"data/samples/{policy}.jsonl": f"data/grades/{policy}.jsonl" for policy in EVALUATED},
    "data/published.jsonl": "data/grades/published.jsonl",
    **{f"reports/evaluate/{policy}/{rows}.jsonl": f"reports/evaluate/{policy}/{grades}_grades.jsonl"
       for policy in EVALUATED
       for rows, grades in (("greedy", "greedy"), ("samples", "sample"), ("few_shot", "few_shot"))},
}  # fmt: skip
"""Files of solutions, and the grades of each."""


class UnknownIdError(ValueError):
    """No row has this id, or several begin with it."""


def add_explain_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`explain` on the command line."""
    explain = commands.add_parser("explain", help="where a row comes from; draws it again")
    explain.add_argument("kind", choices=tuple(STORIES))
    explain.add_argument("id", help="its id, or the beginning of it")
    explain.set_defaults(run=run_explain)


def run_explain(options: argparse.Namespace) -> None:
    from proofline.config import load_environment, load_params
    from proofline.config.environment import repository_root
    from proofline.launch.instructions import settle

    root = repository_root()
    settle(load_environment())  # before PyTorch: the arithmetic that the stages drew with
    params = load_params(root / "params.yaml")
    for line in STORIES[options.kind](root, options.id, params):
        print(line, flush=True)


def demonstration_story(root: Path, row_id: str, params: Params) -> Iterator[str]:
    row = find(root, [DEMONSTRATIONS], Demonstration, row_id)
    yield f"demonstration {row.id}, written by {row.style}"
    if row.style in EVALUATED:  # it has its solution's id
        yield from sample_story(root, row.id, params)
    else:
        yield from problem_lines(find(root, problem_files(), Problem, row.problem_id))
    yield from ["what is demonstrated:", indented(row.solution)]


def pair_story(root: Path, row_id: str, params: Params) -> Iterator[str]:
    pair = find(root, [PAIRS], PreferencePair, row_id)
    problem = find(root, problem_files(), Problem, pair.problem_id)
    yield f"pair {pair.id}, {'on-policy' if pair.on_policy else 'OFF-POLICY'}, by the rule {pair.rule}"
    yield f"  settings: {', '.join(f'{name} {value}' for name, value in pair.settings.items())}"
    yield from problem_lines(problem)
    for name, text, origin in (
        ("chosen", pair.chosen, pair.chosen_from),
        ("rejected", pair.rejected, pair.rejected_from),
    ):
        yield from solution_lines(name, text, origin)
        yield from again(root, problem, text, origin, params)


def trace_story(root: Path, row_id: str, params: Params) -> Iterator[str]:
    trace = find(root, [TRACES], VerificationTrace, row_id)
    problem = find(root, problem_files(), Problem, trace.problem_id)
    yield f"trace {trace.id}, {'Yes' if trace.label else 'No'}, chain by {trace.origin}, layout: {trace.layout}"
    yield from problem_lines(problem)
    yield from solution_lines("candidate", trace.candidate, trace.candidate_from)
    yield from again(root, problem, trace.candidate, trace.candidate_from, params)
    yield from ["chain:", indented(trace.chain)]
    if trace.origin == "program":
        chain = verify(trace.question, trace.candidate)
        yield from compared("written", chain and f"{chain.text}\n{verdict(chain.accepts)}", trace.chain)


def sample_story(root: Path, row_id: str, params: Params) -> Iterator[str]:
    solution = find(root, GRADED, Solution, row_id)
    grades = (grade for grade in rows(root, GRADED.values(), Grade) if grade.solution_id == solution.id)
    grade = next(grades, None)
    if grade is None:
        raise UnknownIdError(f"sample {solution.id} has no grade yet: `dvc repro` makes it")
    problem = find(root, problem_files(), Problem, solution.problem_id)
    origin = Origin.of(solution, grade)
    yield f"sample {solution.id}, finished: {solution.finished}, log-probability {solution.logprob:.3f}"
    yield from problem_lines(problem)
    yield from solution_lines("solution", solution.text, origin)
    yield from again(root, problem, solution.text, origin, params, solution.examples)
    for demonstration in rows(root, [DEMONSTRATIONS], Demonstration):
        if solution.id == demonstration.id:
            yield "  demonstrated to the SFT policy"
    for pair in rows(root, [PAIRS], PreferencePair):
        if solution.id in (pair.chosen_id, pair.rejected_id):
            yield f"  {'chosen' if solution.id == pair.chosen_id else 'rejected'} in pair {pair.id}"
    for trace in rows(root, [TRACES], VerificationTrace):
        if solution.id == trace.solution_id:
            yield f"  verified in trace {trace.id}"


STORIES = {"demonstration": demonstration_story, "pair": pair_story, "trace": trace_story, "sample": sample_story}


def problem_files() -> list[str]:
    return [f"data/problems/{split}.jsonl" for split in SPLITS]


def rows(root: Path, paths: Iterable[str], kind: type[Record]) -> Iterator:
    """All rows of the files that are there."""
    for path in paths:
        if (root / path).is_file():
            yield from iter_records(root / path, kind)


def find(root: Path, paths: Iterable[str], kind: type[R], row_id: str) -> R:
    """The one row whose id is or begins with `row_id`. Raises UnknownIdError."""
    paths = list(paths)
    found = {}
    for row in rows(root, paths, kind):
        if row.id == row_id:
            return row
        if row.id.startswith(row_id):
            found[row.id] = row
    if len(found) == 1:
        return found.popitem()[1]
    there = [path for path in paths if (root / path).is_file()]
    raise UnknownIdError(
        f"{len(found) or 'no'} rows have an id that begins with {row_id!r} in {', '.join(there) or paths[0]}; "
        + ("give more of it" if found else "`dvc repro` makes the files, and the ids stand in them")
    )


def problem_lines(problem: Problem) -> Iterator[str]:
    yield f"problem {problem.id} ({problem.split})"
    yield indented(problem.question)
    yield f"  reference answer: {problem.answer}"


def solution_lines(name: str, text: str, origin: Origin) -> Iterator[str]:
    decoding, grade = origin.decoding, origin.grade
    yield f"{name} {grade.solution_id}:"
    yield indented(text)
    yield f"  {grade.verdict}: {grade.reason} ({grade.grader})"
    yield f"  by {origin.policy}, weights {origin.weights or 'unknown'}, {origin.num_tokens or 'unknown'} tokens"
    yield (
        f"  sample {origin.sample_index}, seed {origin.seed}, temperature {decoding.temperature:g}, "
        f"top_p {decoding.top_p:g}, at most {decoding.max_new_tokens} tokens"
    )


def again(
    root: Path, problem: Problem, text: str, origin: Origin, params: Params, examples: Sequence[str] = ()
) -> Iterator[str]:
    """The solution drawn again, where its weights are here; made again, where nobody drew it."""
    if origin.policy in WRITTEN:
        yield from compared("made", made(root, problem, origin, params), text)
        return
    if not origin.weights:
        yield f"  not drawn again: {origin.policy} names no weights"
        return
    if origin.server:
        yield f"  not drawn again: {origin.server} drew it, and only that could"
        return
    here = {}
    for policy in EVALUATED:
        try:
            here[weights_hash(root / "models" / policy)] = root / "models" / policy
        except WeightsError:
            continue
    if origin.weights not in here:
        models = ", ".join(f"models/{folder.name} is {name}" for name, folder in here.items()) or "no models here"
        yield f"  not drawn again: {models}; `git checkout` the commit of {origin.weights}, and `dvc checkout`"
        return
    shown = [find(root, [DEMONSTRATIONS], Demonstration, row_id) for row_id in examples]
    chat = solution_messages(problem.question, params.prompts, shown)
    yield from compared("drawn", draw(here[origin.weights], chat, origin.decoding, origin.seed), text)


def made(root: Path, problem: Problem, origin: Origin, params: Params) -> str | None:
    """A demonstration, or a copy of one that the recipe's seed spoils again."""
    own = (row for row in rows(root, [DEMONSTRATIONS], Demonstration) if row.problem_id == problem.id)
    written = written_candidates({problem.id: problem}, own, params.traces.corrupted, params.seed)
    return next((row.text for row in written if row.id == origin.grade.solution_id), None)


def draw(folder: Path, chat: list[Message], decoding: Decoding, seed: int) -> str:
    """One sample of a policy by its own seed."""
    from proofline.sampling.policy import shared_sampler
    from proofline.sampling.request import Request

    sampler = shared_sampler(folder, 1)
    (ids,) = sampler.encode([chat])
    (done,) = sampler.engine.generate([Request("", ids, [seed])], decoding)
    return sampler.tokenizer.decode(done.token_ids)


def compared(how: str, new: str | None, old: str) -> Iterator[str]:
    if new == old:
        yield f"  {how} again: identical"
        return
    yield f"  {how} again: DIFFERENT (prompts, code or the processor's arithmetic may be others now):"
    yield indented(new or "nothing")


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
