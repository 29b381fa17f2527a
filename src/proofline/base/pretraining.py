"""Pre-training of the tiny Qwen2-architecture base: next-token prediction on packed, generated documents.

A plain loop, AdamW, warm-up then linear decay, in fp32, which every CPU has instructions for. In: the recipe
`base.pretraining`, a seed. Out: a Hugging Face folder that the same code loads as it loads Qwen2.5-0.5B.
Architecture: Qwen Team 2024,
"Qwen2 Technical Report" (grouped-query attention, QKV bias, RMSNorm, SwiGLU, tied embeddings).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.base.corpus import documents
from proofline.base.tokenizer import train_tokenizer
from proofline.config.schema import Pretraining, Prompts

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

TOKENIZER_DOCUMENTS = 4000
LOG_EVERY_STEPS = 50


def build_tokenizer(section: Pretraining, prompts: Prompts, seed: int) -> PreTrainedTokenizerBase:
    """The tokenizer, learnt from the head of the corpus."""
    texts = (
        document
        if isinstance(document, str)
        else "\n".join(message["role"] + "\n" + message["content"] for message in document)
        for document in islice(documents(prompts, seed), TOKENIZER_DOCUMENTS)
    )
    return train_tokenizer(texts, section.vocab_size)


def build_model(section: Pretraining, tokenizer: PreTrainedTokenizerBase, seed: int) -> Qwen2ForCausalLM:
    """A randomly initialised tiny Qwen2."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=section.hidden_size,
            num_hidden_layers=section.num_layers,
            num_attention_heads=section.num_heads,
            num_key_value_heads=section.num_kv_heads,
            intermediate_size=section.intermediate_size,
            max_position_embeddings=1024,
            rope_theta=10000.0,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def packed_batches(
    section: Pretraining, prompts: Prompts, tokenizer: PreTrainedTokenizerBase, seed: int
) -> Iterator[torch.Tensor]:
    """Rows of `sequence_length` token ids cut from the stream of documents, each ended by the padding token; [B, T]."""
    import torch

    rows = section.batch_size
    need = rows * section.sequence_length
    ids: list[int] = []
    stream = documents(prompts, seed)
    while True:
        while len(ids) < need:
            texts = [
                document if isinstance(document, str) else tokenizer.apply_chat_template(document, tokenize=False)
                for document in islice(stream, 64)
            ]
            for encoded in tokenizer(texts)["input_ids"]:
                ids += [*encoded, tokenizer.pad_token_id]
        yield torch.tensor(ids[:need]).view(rows, section.sequence_length)
        ids = ids[need:]


def pretrain(
    section: Pretraining,
    prompts: Prompts,
    seed: int,
    out_dir: Path,
    on_metrics: Callable[[dict[str, float], int], None] = lambda metrics, step: None,
    start: Path | None = None,
) -> None:
    """Train for `max_steps` and write model and tokenizer to `out_dir`."""
    import torch
    from transformers import Qwen2ForCausalLM

    tokenizer = build_tokenizer(section, prompts, seed)
    model = Qwen2ForCausalLM.from_pretrained(start) if start else build_model(section, tokenizer, seed)
    model.train()
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
        lr=section.learning_rate, betas=(0.9, 0.95), fused=True,
    )  # fmt: skip
    steps, warmup = section.max_steps, max(1, section.warmup_steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / warmup) * max(0.05, 1 - max(0, step - warmup) / (steps - warmup + 1)),
    )
    began = time.perf_counter()
    for step, ids in enumerate(islice(packed_batches(section, prompts, tokenizer, seed + 1), steps), 1):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % LOG_EVERY_STEPS == 0 or step == steps:
            seconds = time.perf_counter() - began
            on_metrics({"loss": loss.item(), "tokens_per_second": step * ids.numel() / seconds}, step)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(out_dir)
    tokenizer.save_pretrained(out_dir)
