"""Answers on disk, one file a question: whoever starts again asks only for what is missing.

A file holds the question, the answer and a SHA-256 over both. It is renamed into place whole. What is no such file, or
answers another question, counts as absent: the question is asked anew and the file replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict
from pathlib import Path

from proofline.endpoint.question import Question, Reply
from proofline.storage.space import room_for


class Cache:
    """A folder of answers, shared by any number of threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, question: Question) -> Path:
        return self.folder / question.key[:2] / f"{question.key}.json"

    def get(self, question: Question) -> Reply | None:
        """The answer to exactly this question; None where there is none, or a damaged one."""
        try:
            entry = json.loads(self.path(question).read_bytes())
            content = _content(entry["question"], entry["reply"])
            if entry["sha256"] == _digest(content) and content == _content(*_parts(question, entry["reply"])):
                return Reply.model_validate(entry["reply"])
        except (OSError, ValueError, KeyError, TypeError):  # absent, or no longer what was written
            return None
        return None

    def put(self, question: Question, reply: Reply) -> None:
        """Raises DiskFullError where there is no room."""
        path = self.path(question)
        asked, answered = _parts(question, reply.model_dump())
        entry = {"sha256": _digest(_content(asked, answered)), "question": asked, "reply": answered}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
        with room_for(part, 0, "The answers that were written are kept. Make room and start again."):
            part.write_text(json.dumps(entry, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, path)


def _parts(question: Question, reply: object) -> tuple[object, object]:
    """As JSON gives them back."""
    return json.loads(json.dumps([asdict(question), reply]))


def _content(question: object, reply: object) -> str:
    return json.dumps([question, reply], ensure_ascii=False, sort_keys=True)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
