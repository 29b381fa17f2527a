"""Many questions to one OpenAI-compatible endpoint, at once, with patience, and none of them paid for twice.

In: `Question`s. Out: a `Reply` for each, in their order; equal questions are asked once. What may pass is tried again
(too many requests, a server's own errors, cut or unreadable answers, silence): after the server's `Retry-After`, else
after waits that double. What will not pass ends it at once, and so does the last try: EndpointError. Answers that came
before that are in the cache. An error is never an answer.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.config.environment import Environment
from proofline.endpoint.cache import Cache
from proofline.endpoint.question import EndpointError, Question, Reply, Unusable, is_model, read_reply, shown
from proofline.tracking.progress import count

if TYPE_CHECKING:
    from openai import OpenAI

TRANSIENT = (408, 409, 425, 429)
"""Statuses that may pass, beside all of 500 and above."""
OUT_OF_CREDIT = "insufficient_quota"
"""OpenAI's code on a 429 that no waiting mends."""
LONGEST_WAIT_SECONDS = 300.0


@dataclass
class Spent:
    """What the questions have cost so far."""

    requests: int = 0
    """Answers that were paid for."""
    cached: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def metrics(self, environment: Environment) -> dict[str, float]:
        """For the run; with `endpoint.cost_usd` where the environment names prices."""
        counts = {f"endpoint.{name}": float(number) for name, number in asdict(self).items()}
        prompt, completion = environment.endpoint_price_prompt, environment.endpoint_price_completion
        if prompt is None or completion is None:
            return counts
        dollars = (self.prompt_tokens * prompt + self.completion_tokens * completion) / 1e6
        return {**counts, "endpoint.cost_usd": dollars}


class _Passing(Exception):
    """A failure that may pass."""

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


class Endpoint:
    """A server's URL and how it is asked. `remedy`: what to check when it does not answer."""

    def __init__(
        self,
        url: str,
        remedy: str,
        cache: Path | None,
        *,
        at_once: int = 16,
        attempts: int = 6,
        timeout_seconds: float = 300.0,
        first_wait_seconds: float = 1.0,
    ) -> None:
        self.url, self.remedy = url.rstrip("/"), remedy
        if not self.url.startswith(("http://", "https://")):
            raise EndpointError(f"found the endpoint {url!r}; expected http://HOST:PORT/v1 or https://…; {remedy}")
        self.at_once, self.attempts = at_once, attempts
        self.timeout_seconds, self.first_wait_seconds = timeout_seconds, first_wait_seconds
        self.cache = Cache(cache) if cache else None
        self.spent = Spent()
        self._lock, self._ended = threading.Lock(), threading.Event()

    @classmethod
    def of(cls, environment: Environment, url: str, remedy: str) -> Endpoint:
        """As the environment says that endpoints are asked."""
        return cls(
            url, remedy, Path(environment.endpoint_cache),
            at_once=environment.endpoint_requests, attempts=environment.endpoint_attempts,
            timeout_seconds=environment.endpoint_timeout_seconds,
        )  # fmt: skip

    def ask(self, questions: Iterable[Question]) -> list[Reply]:
        """A reply to each. Raises EndpointError as soon as one cannot be had."""
        questions = list(questions)
        different = list(dict.fromkeys(questions))
        self._ended = threading.Event()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            futures = [pool.submit(self._answer, question) for question in different]
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()  # or the error that ends it
        finally:
            self._ended.set()  # who waits for another try waits no longer
            pool.shutdown(cancel_futures=True)
        replies = dict(zip(different, (future.result() for future in futures), strict=True))
        return [replies[question] for question in questions]

    def _answer(self, question: Question) -> Reply:
        if self.cache and (known := self.cache.get(question)):
            self._count(cached=1)
            count(samples=1)
            return known
        reply = self._patiently(question)
        if self.cache:
            self.cache.put(question, reply)
        self._count(
            requests=1, prompt_tokens=reply.prompt_tokens or 0, completion_tokens=reply.completion_tokens or 0
        )  # fmt: skip
        count(samples=1, tokens=reply.completion_tokens or 0)
        return reply

    def _patiently(self, question: Question) -> Reply:
        """One question, as often as it takes."""
        for attempt in range(self.attempts):
            try:
                return self._once(question)
            except _Passing as failure:
                seconds = failure.wait_seconds
                if seconds is None:
                    seconds = self.first_wait_seconds * 2**attempt * random.uniform(0.75, 1.25)
                if attempt + 1 == self.attempts:
                    raise self._error(question, f"{failure}, {self.attempts} times") from None
                if seconds > LONGEST_WAIT_SECONDS:
                    raise self._error(question, f"{failure}; it asks for {seconds:.0f} s of patience") from None
                print(f"{self.url}: {failure}; asking again in {seconds:.1f} s", file=sys.stderr, flush=True)
                if self._ended.wait(seconds):
                    raise self._error(question, f"{failure}; another question has failed") from None
                self._count(retries=1)
        raise AssertionError("at least one attempt")

    def _once(self, question: Question) -> Reply:
        """One request, which all of it together may take `timeout_seconds`. Raises _Passing or EndpointError."""
        from httpx2 import HTTPError
        from openai import APIStatusError, OpenAIError

        deadline, body = time.monotonic() + self.timeout_seconds, bytearray()
        try:
            with self._client.chat.completions.with_streaming_response.create(**question.body()) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline:
                        raise _Passing(f"no whole answer within {self.timeout_seconds:g} s")
            reply = read_reply(bytes(body), question.watched)
        except APIStatusError as error:
            what = f"status {error.status_code}: {shown(str(error).encode())}"
            passing = error.status_code in TRANSIENT or error.status_code >= 500
            if passing and error.code != OUT_OF_CREDIT:
                raise _Passing(what, retry_after(error.response.headers)) from None
            raise self._error(question, what) from None
        except (OpenAIError, HTTPError, Unusable) as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise _Passing(f"{type(error).__name__}: {error}{cause}") from None
        if not is_model(question.model, reply.model):
            raise self._error(question, f"{reply.model!r} answered")
        return reply

    @cached_property
    def _client(self) -> OpenAI:
        from openai import OpenAI

        key = os.environ.get("OPENAI_API_KEY") or "none"
        return OpenAI(base_url=self.url, api_key=key, timeout=self.timeout_seconds, max_retries=0)

    def _error(self, question: Question, what: str) -> EndpointError:
        return EndpointError(f"{self.url} gave no answer by {question.model}: {what}. {self.remedy}")

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, number in more.items():
                setattr(self.spent, name, getattr(self.spent, name) + number)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks for (RFC 9110: a number or a date; Azure: `retry-after-ms`); None: it does not."""
    milliseconds, text = headers.get("retry-after-ms"), headers.get("retry-after", "")
    try:
        return max(0.0, float(milliseconds) / 1000 if milliseconds else float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
