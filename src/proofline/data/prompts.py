"""What is asked of a model, as chat messages; the chat template around them belongs to the tokenizer.

The verification prompt and the verdict line follow GenRM-CoT (Zhang et al. 2024, "Generative Verifiers"):
the chain of thought ends in `Verification: Is the answer correct (Yes/No)?` and the verdict is the next token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from proofline.config.schema import Prompts
from proofline.records import Demonstration

VERDICT_LINE = "Verification: Is the answer correct (Yes/No)?"
YES, NO = " Yes", " No"
"""With the leading space, a single token of our tokenizer and of Qwen2.5's."""

Message = dict[str, str]


def solution_messages(question: str, prompts: Prompts, examples: Sequence[Demonstration] = ()) -> list[Message]:
    """A chat that asks for a solution; each example is a turn before it, asked for and answered in the same way."""
    shown = [
        [*solution_messages(example.question, prompts), {"role": "assistant", "content": example.solution}]
        for example in examples
    ]
    return [*chain.from_iterable(shown), {"role": "user", "content": _filled(prompts.solution, question=question)}]


def verification_messages(question: str, candidate: str, prompts: Prompts) -> list[Message]:
    return [{"role": "user", "content": _filled(prompts.verification, question=question, candidate=candidate)}]


def _filled(template: str, **texts: str) -> str:
    """The template's own placeholders replaced, in one pass: what looks like one in a text stays."""
    return re.sub("|".join(rf"\{{{name}\}}" for name in texts), lambda match: texts[match[0][1:-1]], template)


def verdict(label: bool) -> str:
    """The last line of a chain."""
    return VERDICT_LINE + (YES if label else NO)
