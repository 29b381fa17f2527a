"""A verifier that has learnt one chain by heart, with a verdict that is Yes three times in four."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from proofline.config.schema import Prompts
from proofline.data.prompts import verdict, verification_messages
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Problem, Solution, Verdict

PROMPTS = Prompts(solution="{question}", verification="{question}\n{candidate}")


class ByHeart(NamedTuple):
    folder: Path
    candidate: tuple[Problem, Solution, Verdict]
    prompt: str
    """What it is asked about the candidate, up to where its chain begins."""
    prompts: Prompts = PROMPTS


def learn(tiny_policy: Path, folder: Path) -> ByHeart:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    problem = next(iter(generate_problems("dev", 1, 0)))
    solution = Solution(
        id="s", problem_id=problem.id, policy="sft", weights="w", sample_index=0, seed=0, text="#### 1", num_tokens=3,
        decoding=Decoding(temperature=0.0, top_p=1.0, max_new_tokens=8), logprob=-1.0, finished=True,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.float32)
    messages = verification_messages(problem.question, solution.text, PROMPTS)
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    documents = [f"{prompt}1 = 1: match\n{verdict(label)}{tokenizer.eos_token}" for label in (True, True, True, False)]
    ids = tokenizer(documents, return_tensors="pt")["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return ByHeart(folder, (problem, solution, "correct"), prompt)
