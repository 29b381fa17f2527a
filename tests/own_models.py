"""Small tokenizers of the kinds that models come with, and folders of small models with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proofline.data.prompts import verdict

WORDS = ("So it is", "Half of", "match; #### 7", "(a b), x:")
TEXTS = [f"{word} {n}*{n}={n * n}\n" for n in range(30) for word in WORDS]
TEXTS += [f"{n}={n}: match\n{verdict(n % 2 == 0)}" for n in range(30)]
INSTRUCT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def spaced(template: str = INSTRUCT, *, every_piece: bool = False, **special: str) -> Any:
    """SentencePiece's manner, as of Llama and Mistral: a text begins with a space of the tokenizer's own, or so does
    `every_piece` between two markers; the padding token is the end token."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    extra = [token for token in special.values() if token not in ("<s>", "</s>")]
    turns = ["<start_of_turn>", "<end_of_turn>"] if "turn" in template else []
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<unk>", "<s>", "</s>", *turns, *extra, *(f"<0x{byte:02X}>" for byte in range(256))],
        initial_alphabet=[chr(code) for code in range(33, 127)],
        show_progress=False,
    )
    tokenizer.train_from_iterator((line for text in TEXTS for line in text.splitlines()), trainer)
    if every_piece:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.pre_tokenizer = None
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=template, unk_token="<unk>", clean_up_tokenization_spaces=False,
        **{"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", **special},
    )  # fmt: skip


def gemma() -> Any:
    """No system role; a turn does not end with the tokenizer's end token, and the assistant is called otherwise."""
    return spaced(GEMMA, eos_token="<eos>", pad_token="<pad>")


def mistral() -> Any:
    """A system message is an error; the assistant begins in the middle of a line, and each piece with a space."""
    return spaced(INST, every_piece=True)


def chatml() -> Any:
    """As of SmolLM2: digits one by one, a system message of the template's own; a turn's end ends texts and pads."""
    return bytewise(CHATML, vocab_size=500, eos_token="<|im_end|>", pad_token="<|im_end|>")


def bytewise(template: str = INSTRUCT.replace("{{ bos_token }}", ""), vocab_size: int = 258, **special: str) -> Any:
    """GPT's manner, and so few merges that ` Yes` is not one token; no padding token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    special = {"eos_token": "</s>", **special}
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=["<|im_start|>", *sorted(set(special.values()))],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=template, clean_up_tokenization_spaces=False, **special
    )


KINDS = {"spaced": spaced, "gemma": gemma, "mistral": mistral, "chatml": chatml, "bytewise": bytewise}
ENDS = {"gemma": "<end_of_turn>", "chatml": "<|im_end|>"}
"""Of a turn, where it is not `</s>`."""


def small_config(kind: str = "LlamaConfig", **changes: Any) -> Any:
    """A configuration of a few thousand parameters."""
    import transformers

    sizes = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "vocab_size": 640, "max_position_embeddings": 512, "pad_token_id": None,
        "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    return getattr(transformers, kind)(**sizes | changes)


def make_model(folder: Path, tokenizer: Any, config: Any) -> Path:
    """A random model of the configuration, and the tokenizer, as a Hugging Face folder."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config.eos_token_id = tokenizer.eos_token_id
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tensors(folder: Path) -> Iterator[tuple[str, Any]]:
    """The weights of a folder, by name."""
    from safetensors.torch import load_file

    yield from load_file(folder / "model.safetensors").items()
