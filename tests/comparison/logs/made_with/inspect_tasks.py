"""The tasks whose logs lie beside this folder; needs inspect_ai, so nothing here imports it."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import Score, includes, match, mean, scorer, stderr
from inspect_ai.solver import generate, solver


@scorer(metrics={"characters": [mean(), stderr()], "finished": [mean(), stderr()]})
def shape():
    async def score(state, target):
        text = state.output.completion
        finished = float("nan") if not text else float(state.output.stop_reason == "stop")
        return Score(value={"characters": len(text), "finished": finished})

    return score


@solver
def stumble():
    async def solve(state, generate):
        if "stamps" in state.input_text:
            raise RuntimeError("no stamps here")
        return state

    return solve


def items():
    return json_dataset("items.jsonl", lambda row: Sample(input=row["question"], target=row["answer"]))


@task
def tiny_math():
    return Task(dataset=items(), solver=generate(), scorer=[match(numeric=True), includes()])


@task
def tiny_faulty():
    return Task(
        dataset=items()[:12], solver=[stumble(), generate()], scorer=[match(numeric=True), shape()], fail_on_error=False
    )
