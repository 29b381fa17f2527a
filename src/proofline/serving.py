"""What a registered version answers with: MLflow calls `_load_pyfunc` and then `predict`.

sft, dpo: questions (texts, or rows with a `question`) -> one solution text each.
genrm: rows with a `question` and a `candidate` -> `{"p_yes": P(Yes) in [0, 1], "chain": the first verification}` each.

This module and what it imports lie in every version, as `code/`: it has to load where the repository is not.

Prompts and decoding lie in the version (`model_config` of its `MLmodel`) and can be overridden at loading:
`load_model(uri, model_config={"num_chains": 8})`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofline.config.schema import Params, Prompts, Verification
from proofline.records import Decoding, Problem, Solution, Verdict, stable_id

REQUEST_SEED = 0
"""Equal requests get equal answers."""
ROWS = 64
"""Sequences decoded together; the answers do not depend on it."""
UNGRADED: Verdict = "unparsed"
"""Nobody has graded a request; `verify` only carries the label along."""


class RequestError(ValueError):
    """A row that cannot be answered."""


def serving_config(policy: str, params: Params) -> dict[str, Any]:
    """What `_load_pyfunc` gets back: JSON-able, the policy's decoding and the prompts it was trained with."""
    decoding = (
        params.verification.model_dump(mode="json")
        if policy == "genrm"
        else {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": params.evaluation.max_new_tokens}
    )
    return {"served_as": policy, "prompts": params.prompts.model_dump(mode="json"), **decoding}


def _load_pyfunc(path: str, model_config: dict[str, Any]) -> SolverModel | VerifierModel:
    """MLflow's hook: `path` is the version's folder."""
    # MLflow has put the version's code first on the path. It has been found there by now; left there it would hide
    # the installed package, which has more modules, from every process that this one starts.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != Path(path, "code")]
    config, folder = dict(model_config), Path(path, "model")
    policy, prompts = config.pop("served_as"), Prompts(**config.pop("prompts"))
    if policy == "genrm":
        return VerifierModel(folder, prompts, Verification(**config))
    return SolverModel(folder, policy, prompts, Decoding(**config))


class SolverModel:
    """A policy that solves problems."""

    def __init__(self, folder: Path, policy: str, prompts: Prompts, decoding: Decoding) -> None:
        from proofline.sampling.policy import load_sampler

        self._folder, self._policy, self._prompts, self._decoding = folder, policy, prompts, decoding
        self._sampler = load_sampler(folder, ROWS)

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[str]:
        """One solution text per question, in order."""
        from proofline.sampling.policy import sample_solutions

        problems = [_problem(_field(row, "question")) for row in rows(model_input)]
        solutions = sample_solutions(
            self._folder, self._policy, problems, self._prompts, self._decoding, 1, REQUEST_SEED, rows=ROWS,
            sampler=self._sampler,
        )  # fmt: skip
        return [solution.text for solution in solutions]


class VerifierModel:
    """A GenRM that judges candidates."""

    def __init__(self, folder: Path, prompts: Prompts, section: Verification) -> None:
        from proofline.sampling.policy import shared_sampler

        self._folder, self._prompts, self._section = folder, prompts, section
        shared_sampler(folder, ROWS)  # what cannot be loaded is refused now, not at the first request

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """P(Yes), NaN without a verdict, and the first chain per candidate, in order."""
        from proofline.verification import verify

        candidates = []
        for row in rows(model_input):
            problem = _problem(_field(row, "question"))
            candidates.append((problem, _solution(problem, _field(row, "candidate")), UNGRADED))
        verdicts = verify(self._folder, candidates, self._prompts, self._section, REQUEST_SEED, rows=ROWS)
        return [{"p_yes": verdict.p_yes, "chain": verdict.chains[0]} for verdict in verdicts]


def rows(model_input: Any) -> list[Any]:
    """Texts or mappings, from a list or a table (what MLflow's scoring server hands over).

    A column that MLflow numbered 0 comes from a list of texts.
    """
    if hasattr(model_input, "to_dict"):
        return [row[0] if list(row) == [0] else row for row in model_input.to_dict("records")]
    return [model_input] if isinstance(model_input, str | Mapping) else list(model_input)


def _field(row: Any, name: str) -> str:
    value = row if isinstance(row, str) and name == "question" else row.get(name) if isinstance(row, Mapping) else None
    value = (
        value.item() if value is not None and hasattr(value, "item") else value
    )  # MLflow makes arrays of texts inside rows
    if not isinstance(value, str):
        raise RequestError(f"row {row!r} has no text {name!r}; expected a mapping such as {{{name!r}: '…'}}")
    return value


def _problem(question: str) -> Problem:
    return Problem(
        id=Problem.make_id("request", question), source="request", family="word", split="test", question=question,
        solution="", answer="", skeleton="",
    )  # fmt: skip


def _solution(problem: Problem, text: str) -> Solution:
    return Solution(
        id=stable_id(problem.id, text), problem_id=problem.id, policy="request", weights="", text=text, seed=0,
        decoding=Decoding(temperature=0.0, top_p=1.0, max_new_tokens=1), sample_index=0, num_tokens=0, logprob=0.0,
        finished=True,
    )  # fmt: skip
