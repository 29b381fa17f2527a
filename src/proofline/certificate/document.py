"""A certificate as a file: the plain statement, or an envelope around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proofline.certificate.signing import SignatureError, is_envelope, opened
from proofline.storage.artifacts import write_json


def write_document(path: Path, document: dict[str, Any]) -> None:
    write_json(path, document)


def read_statement(path: Path, public_key: Path | None = None) -> dict[str, Any]:
    """The statement in a file; with a public key only if that key signed it. Raises SignatureError."""
    return parse_statement(_read(path), str(path), public_key)


def parse_statement(content: bytes, name: str, public_key: Path | None = None) -> dict[str, Any]:
    """The same of a file's content; `name` is what errors call it."""
    document = _parse(content, name)
    if is_envelope(document):
        return opened(document, public_key)
    if public_key is not None:
        raise SignatureError(f"{name} is not signed; sign with `proofline certify --key KEY`")
    return document


def is_signed(path: Path) -> bool:
    return is_envelope(_parse(_read(path), str(path)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SignatureError(f"{path} cannot be read: {error}; name a certificate") from None


def _parse(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"{name} is no certificate: {error}") from None
    if not isinstance(document, dict):
        raise SignatureError(f"{name} is no certificate: found {type(document).__name__}; expected an object")
    return document
