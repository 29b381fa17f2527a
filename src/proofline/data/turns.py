"""Chat messages and completions -> token ids. Control tokens come from the chat template, never from anybody's text.

What ends the assistant's turn is what the template writes behind it (Gemma's `<end_of_turn>` is not its tokenizer's end
token). A verdict is read at the token where ` Yes` and ` No`, written behind the verdict line, part.

A tokenizer makes `<|im_end|>` in a question or a candidate the token that ends a turn: whoever writes it could speak as
the assistant. So a marker in a text is hidden while the template is applied, and then spelt out like any other text.
Text without one gets the same ids as from the tokenizer alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import jinja2

from proofline.data.prompts import Message, verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ASKED: list[Message] = [{"role": "user", "content": "6*7=?"}]
ANSWERED: Message = {"role": "assistant", "content": "42"}
"""A turn, to see what a template makes of one."""
_PRIVATE = range(0xE000, 0xF900)
"""Code points without a meaning (Unicode's private use area)."""


class TemplateError(ValueError):
    """A chat template that a completion cannot be trained and sampled with alike."""


class VerdictTokenError(ValueError):
    """A tokenizer that writes Yes and No alike."""


class VerdictTokens(NamedTuple):
    """Where P(Yes) is read: at the token `yes` or `no` directly behind the tokens `line`."""

    line: tuple[int, ...]
    yes: int
    no: int
    whole: bool
    """Each is the whole word. Else it is the first token in which the words differ, which stands for the word."""


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
    """Token ids of what an assistant says, and the end of its turn. Raises TemplateError."""
    opening, end = turn_frame(tokenizer)
    said, hidden = _hide(texts, _markers(tokenizer))
    # A tokenizer that begins a text with a space of its own is to begin none behind a line's end of the template.
    within = opening.endswith("\n") and _adds_space(tokenizer)
    before = ["\n" if within and not text[:1].isspace() else "" for text in said]
    size = len(_alike(_encode(tokenizer, ["\nA", "\n7"], {})))
    encoded = _encode(tokenizer, [line + text for line, text in zip(before, said, strict=True)], hidden)
    return [[*ids[size * len(line) :], end] for line, ids in zip(before, encoded, strict=True)]


def turn_frame(tokenizer: PreTrainedTokenizerBase) -> tuple[str, int]:
    """The text of a prompt up to where the assistant begins, and the token that ends its turn. Raises TemplateError."""
    if not tokenizer.chat_template:
        raise TemplateError(
            f"{tokenizer.name_or_path} has no chat template: put the one that the model was trained with into the "
            "folder as chat_template.jinja; docs/your-model.md has one for a model that was trained with none"
        )
    try:
        asked = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True, tokenize=False)
        rendered = tokenizer.apply_chat_template([*ASKED, ANSWERED], tokenize=False)
    except jinja2.TemplateError as error:
        raise TemplateError(
            f"the chat template of {tokenizer.name_or_path} cannot be rendered with a user's turn and the assistant's: "
            f"{error}. Mend chat_template.jinja; docs/your-model.md"
        ) from error
    said = asked + ANSWERED["content"]
    behind = _encode(tokenizer, [rendered.removeprefix(said)], {})[0] if rendered.startswith(said) else []
    ends = {id for token, id in tokenizer.get_added_vocab().items() if _is_marker(token)}
    if not behind or behind[0] not in {tokenizer.eos_token_id, *ends}:
        raise TemplateError(
            f"the chat template of {tokenizer.name_or_path} renders a finished turn as {rendered[-80:]!r}, which is "
            f"not its prompt {asked[-40:]!r}, the completion and a token that ends the turn: the model would be "
            "trained in another context than it samples in. Let chat_template.jinja write exactly these three; "
            "docs/your-model.md"
        )
    return asked, behind[0]


def verdict_tokens(tokenizer: PreTrainedTokenizerBase) -> VerdictTokens:
    """The tokens of the verdict line and of the words behind it, as completions hold them. Raises VerdictTokenError."""
    yes, no = ([ids[:-1] for ids in _verdicts_after(tokenizer, label)] for label in (True, False))
    parting = len(_alike([yes[0], no[0]]))
    # The tokens of the line that are the same whatever stands before it.
    behind = len(yes[0]) - parting
    line = _alike([ids[: len(ids) - behind][::-1] for ids in yes])[::-1]
    if parting >= min(len(yes[0]), len(no[0])) or not tokenizer.decode(line).strip():
        raise VerdictTokenError(
            f"{tokenizer.name_or_path} writes {verdict(True)!r} and {verdict(False)!r} as {yes[0]} and {no[0]}, in "
            "which no token behind the line tells Yes from No: P(Yes) cannot be read. Use a tokenizer that knows them"
        )
    whole = len(yes[0]) == len(no[0]) == parting + 1
    return VerdictTokens(tuple(line), yes[0][parting], no[0][parting], whole)


def _verdicts_after(tokenizer: PreTrainedTokenizerBase, label: bool) -> list[list[int]]:
    return encode_completions(tokenizer, [before + verdict(label) for before in ("", "1=1\n", "7: match\n", "So.\n\n")])


def _alike(rows: Sequence[Sequence[int]]) -> list[int]:
    """What all rows begin with."""
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False))]


def _adds_space(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Does a word begin otherwise at the beginning of a text than of a line? (SentencePiece's dummy prefix)"""
    at_line, at_text = _encode(tokenizer, ["\nSo", "So"], {})
    return at_line[-len(at_text) :] != at_text


def _markers(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Every string that the tokenizer has been told to read as one token; words (` Yes`) and spaces are no markers."""
    return _pattern(tuple(filter(_is_marker, tokenizer.get_added_vocab())))


def _is_marker(token: str) -> bool:
    word = token.strip()
    return bool(word) and not word.isalnum()


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
