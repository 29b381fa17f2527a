"""Verifications by a stronger model behind an OpenAI-compatible API (vLLM, SGLang, a provider).

In: candidates with their questions. Out: texts, `attempts` for each. The teacher is told what a verifier has and how a
verification ends, and sees neither reference nor grade. Requests carry a seed each; whether a server heeds it is its
own affair, so what it wrote is kept in data/traces.jsonl and DVC's cache, and asked for again only by a changed recipe.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from proofline.config.schema import Writing
from proofline.data.prompts import VERDICT_LINE
from proofline.data.traces import Asked
from proofline.sampling.seeds import sample_seed

if TYPE_CHECKING:
    from openai import OpenAI

INSTRUCTION = (
    "{question}\n\nSolution:\n{candidate}\n\nVerify this solution step by step. Recompute every calculation, and ask "
    f"whether the steps answer the question. End with the line `{VERDICT_LINE} Yes` or `{VERDICT_LINE} No`."
)
AT_ONCE = 16
RETRIES = 4
SEED_LIMIT = 2**31
"""Seeds of the API are commonly 32-bit."""


class TeacherError(ValueError):
    """The endpoint does not answer as an OpenAI-compatible API."""


def ask_teacher(url: str, asked: Sequence[Asked], section: Writing, run_seed: int) -> list[list[str]]:
    """The teacher's verifications of each candidate, in order. Raises TeacherError."""
    from openai import OpenAI, OpenAIError

    client = OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), max_retries=RETRIES)
    tasks = [(row, sample_seed(run_seed, row.solution_id, k)) for row in asked for k in range(section.attempts)]
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        texts = list(pool.map(lambda task: _ask(client, section, *task), tasks))
    except OpenAIError as error:
        raise TeacherError(
            f"{url} did not write a verification with {section.teacher} ({type(error).__name__}: {error}); check "
            "PROOFLINE_TEACHER_URL, OPENAI_API_KEY and traces.writing.teacher, or leave `endpoint` out of "
            "traces.sources"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
    each = section.attempts
    return [texts[at * each : (at + 1) * each] for at in range(len(asked))]


def _ask(client: OpenAI, section: Writing, row: Asked, seed: int) -> str:
    content = INSTRUCTION.format(question=row.question, candidate=row.candidate)
    reply = client.chat.completions.create(
        model=section.teacher,
        messages=[{"role": "user", "content": content}],
        temperature=section.temperature,
        top_p=section.top_p,
        max_tokens=section.max_new_tokens,
        seed=seed % SEED_LIMIT,
    )
    return (reply.choices[0].message.content or "") if reply.choices else ""
