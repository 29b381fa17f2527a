"""Chat messages and completions -> token ids. Control tokens come from the chat template, never from anybody's text.

A tokenizer makes `<|im_end|>` in a question or a candidate the token that ends a turn: whoever writes it could speak as
the assistant. So a marker in a text is hidden while the template is applied, and then spelt out like any other text.
Text without one gets the same ids as from the tokenizer alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from proofline.data.prompts import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PRIVATE = range(0xE000, 0xF900)
"""Code points without a meaning (Unicode's private use area)."""


def encode_prompts(tokenizer: PreTrainedTokenizerBase, chats: Sequence[list[Message]]) -> list[list[int]]:
    """Token ids of each chat, up to where the assistant begins."""
    if not chats:
        return []
    contents, hidden = _hide([message["content"] for chat in chats for message in chat], _markers(tokenizer))
    following = iter(contents)
    plain = [[{**message, "content": next(following)} for message in chat] for chat in chats]
    texts = tokenizer.apply_chat_template(plain, add_generation_prompt=True, tokenize=False)
    return _encode(tokenizer, texts, hidden)


def encode_completions(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of what an assistant says, and the end of its turn."""
    said, hidden = _hide(texts, _markers(tokenizer))
    return [[*ids, tokenizer.eos_token_id] for ids in _encode(tokenizer, said, hidden)]


def _markers(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Every string that the tokenizer has been told to read as one token; words (` Yes`) are no markers."""
    return _pattern(tuple(token for token in tokenizer.get_added_vocab() if not token.strip().isalnum()))


@lru_cache(maxsize=8)
def _pattern(markers: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))) or r"(?!)")


def _hide(texts: Sequence[str], markers: re.Pattern[str]) -> tuple[list[str], dict[str, str]]:
    """The texts with each marker as one private character that none of them holds; what each character stands for."""
    found = sorted({marker for text in texts for marker in markers.findall(text)})
    free = (chr(point) for point in _PRIVATE if not any(chr(point) in text for text in texts))
    characters = dict(zip(found, free, strict=False))
    hidden = [markers.sub(lambda match: characters[match[0]], text) for text in texts] if found else list(texts)
    return hidden, {character: marker for marker, character in characters.items()}


def _encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], hidden: dict[str, str]) -> list[list[int]]:
    """Token ids of each text: of its pieces, one after the other, where a marker is hidden in it."""
    pieces = [_pieces(text, hidden) for text in texts]
    flat = [piece for of_one in pieces for piece in of_one]
    encoded = iter(tokenizer(flat, add_special_tokens=False)["input_ids"]) if flat else iter(())
    return [[token for _ in of_one for token in next(encoded)] for of_one in pieces]


def _pieces(text: str, hidden: dict[str, str]) -> list[str]:
    """The text with its markers shown again and cut after their first character: no piece holds a whole one."""
    pieces = [""]
    for part in re.split(f"([{''.join(hidden)}])", text) if hidden else [text]:
        marker = hidden.get(part)
        if marker is None:
            pieces[-1] += part
        else:
            pieces[-1] += marker[0]
            pieces.append(marker[1:])
    return pieces
