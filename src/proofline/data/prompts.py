"""What is asked of a model, as chat messages; the chat template around them belongs to the tokenizer.

The verification prompt and the verdict line follow GenRM-CoT (Zhang et al. 2024, "Generative Verifiers"):
the chain of thought ends in `Verification: Is the answer correct (Yes/No)?` and the verdict is the next token.
"""

from __future__ import annotations

from proofline.config.schema import Prompts

VERDICT_LINE = "Verification: Is the answer correct (Yes/No)?"
YES, NO = " Yes", " No"
"""With the leading space, a single token of our tokenizer and of Qwen2.5's."""

Message = dict[str, str]


def solution_messages(question: str, prompts: Prompts) -> list[Message]:
    return [{"role": "user", "content": prompts.solution.replace("{question}", question)}]


def verification_messages(question: str, candidate: str, prompts: Prompts) -> list[Message]:
    content = prompts.verification.replace("{candidate}", candidate).replace("{question}", question)
    return [{"role": "user", "content": content}]


def verdict(label: bool) -> str:
    """The last line of a chain."""
    return VERDICT_LINE + (YES if label else NO)
