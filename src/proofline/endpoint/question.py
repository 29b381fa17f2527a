"""A question to a model and its answer, which is read strictly: neither client nor proxies check what a server sends.

In: the bytes of a chat completion (https://platform.openai.com/docs/api-reference/chat/object). Out: `Reply`. Whatever
is no such object (an error page with status 200, half an object, no choices) raises Unusable, never becomes a text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SEED_LIMIT = 2**31
"""Seeds of the API are commonly 32-bit."""
MOST_ALTERNATIVES = 20
"""Likeliest tokens at each position that the API gives at most, what was drawn among them or beside them."""
SHOWN_CHARACTERS = 200


class EndpointError(ValueError):
    """The endpoint did not answer as an OpenAI-compatible API, or not as it was asked to."""


class Unusable(Exception):
    """One answer that is none; the next may be."""


@dataclass(frozen=True)
class Question:
    """What decides an answer."""

    model: str
    """Its name at the endpoint."""
    messages: tuple[tuple[str, str], ...]
    """Role and content of each."""
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int | None = None
    logprobs: bool = False
    """Also ask for the log-probability of what was drawn."""
    weights: str = ""
    """Hash of the weights behind the name, where it is known: not sent, but another hash is another question."""
    watched: tuple[str, ...] = ()
    """Tokens whose log-probabilities are wanted wherever one of them is drawn."""

    @property
    def key(self) -> str:
        """SHA-256 of all of it: of what watches no token as before there was that to be asked."""
        decides = {name: value for name, value in asdict(self).items() if name != "watched" or value}
        text = json.dumps(decides, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def body(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "model": self.model,
            "messages": [{"role": role, "content": content} for role, content in self.messages],
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_new_tokens,
            **({"seed": self.seed % SEED_LIMIT} if self.seed is not None else {}),
            **({"logprobs": True} if self.logprobs or self.watched else {}),
            **({"top_logprobs": MOST_ALTERNATIVES} if self.watched else {}),
        }


class Drawn(BaseModel):
    """One of the watched tokens, where it was drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    line: str
    """What stands before it on its line."""
    logprobs: dict[str, float]
    """Of the watched tokens there (nats); without those that are not among the likeliest."""


class Reply(BaseModel):
    """What came back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    """Empty where the server sent none: a refusal in a field of its own is kept in `refusal`."""
    refusal: str = ""
    finish: str | None
    """`stop`: the model ended it; `length`: it was cut off; or the server's own word."""
    model: str
    """Who answered, in the server's words; it may be a dated name of the model that was asked."""
    fingerprint: str = ""
    """The server's word for its own configuration."""
    prompt_tokens: int | None
    completion_tokens: int | None
    """None where the server does not count."""
    logprob: float | None = None
    """Sum over the drawn tokens (nats), where it was asked for and given."""
    watched: tuple[Drawn, ...] | None = None
    """In the order of the text; None where the server gave no log-probabilities."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Alternative(BaseModel):
    token: str = ""
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class _Completion(BaseModel):
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read_reply(body: bytes, watched: Collection[str] = ()) -> Reply:
    """Raises Unusable, which says what came instead."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Unusable(f"no chat completion ({where}: {first['msg']}): {shown(body)}") from None
    choice, usage = completion.choices[0], completion.usage or _Usage()
    tokens = choice.logprobs.content if choice.logprobs else None
    return Reply(
        text=choice.message.content or "",
        refusal=choice.message.refusal or "",
        finish=choice.finish_reason,
        model=completion.model or "",
        fingerprint=completion.system_fingerprint or "",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        logprob=sum(token.logprob for token in tokens) if tokens else None,
        watched=tuple(_drawn(tokens, watched)) if tokens and watched else None,
    )


def _drawn(tokens: Sequence[_Token], watched: Collection[str]) -> Iterator[Drawn]:
    line = ""
    for one in tokens:
        if one.token in watched:
            there = {token.token: token.logprob for token in (*one.top_logprobs, one) if token.token in watched}
            yield Drawn(token=one.token, line=line, logprobs=there)
        line = (line + one.token).rpartition("\n")[2]


def shown(body: bytes) -> str:
    """The beginning of what a server sent, on one line."""
    text = " ".join(body.decode("utf-8", "replace").split())
    return repr(text[:SHOWN_CHARACTERS] + ("…" if len(text) > SHOWN_CHARACTERS else ""))


def is_model(asked: str, answered: str) -> bool:
    """Does the name in an answer stand for the model that was asked?

    Organisation, folder, revision (`@…`, `:…`) and `-latest` count for nothing, and the answer may be a dated one of
    the name (`gpt-4o-2024-08-06` of `gpt-4o`). A server that names no model is taken at its word.
    """
    wanted, found = (re.split("[@:]", name.strip("/").lower().rpartition("/")[2])[0] for name in (asked, answered))
    return not answered or bool(re.fullmatch(re.escape(wanted.removesuffix("-latest")) + r"(-\d[\d-]*)?", found))
