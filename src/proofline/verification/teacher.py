"""Verifications by a stronger model behind an OpenAI-compatible API (vLLM, SGLang, a provider).

In: candidates with their questions. Out: texts, `attempts` for each. The teacher is told what a verifier has and how a
verification ends, and sees neither reference nor grade. Requests carry a seed each; whether a server heeds it is its
own affair, so what it wrote is kept in data/traces.jsonl and DVC's cache, and asked for again only by a changed recipe.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofline.config.environment import Environment
from proofline.config.schema import Writing
from proofline.data.prompts import VERDICT_LINE
from proofline.data.traces import Asked
from proofline.endpoint import Endpoint, Question
from proofline.sampling.seeds import sample_seed

INSTRUCTION = (
    "{question}\n\nSolution:\n{candidate}\n\nVerify this solution step by step. Recompute every calculation, and ask "
    f"whether the steps answer the question. End with the line `{VERDICT_LINE} Yes` or `{VERDICT_LINE} No`."
)
REMEDY = (
    "Check PROOFLINE_TEACHER_URL, OPENAI_API_KEY and traces.writing.teacher, or leave `endpoint` out of traces.sources."
)


def the_teacher(environment: Environment) -> Endpoint:
    """Where the environment says that the teacher is."""
    return Endpoint.of(environment, environment.teacher_url, REMEDY)


def ask_teacher(endpoint: Endpoint, asked: Sequence[Asked], section: Writing, run_seed: int) -> list[list[str]]:
    """The teacher's verifications of each candidate, in order. Raises EndpointError."""
    each = section.attempts
    questions = [
        Question(
            model=section.teacher,
            messages=(("user", INSTRUCTION.format(question=row.question, candidate=row.candidate)),),
            temperature=section.temperature,
            top_p=section.top_p,
            max_new_tokens=section.max_new_tokens,
            seed=sample_seed(run_seed, row.solution_id, k),
        )
        for row in asked
        for k in range(each)
    ]
    texts = [reply.text for reply in endpoint.ask(questions)]
    return [texts[at * each : (at + 1) * each] for at in range(len(asked))]
