"""Signing a certificate with a key of one's own: a DSSE envelope, Ed25519 or ECDSA over P-256.

In: the statement and a PEM file. Out: the envelope, or the statement back after its signature was checked. The format
is the one that in-toto, cosign and sigstore use: https://github.com/secure-systems-lab/dsse

    openssl genpkey -algorithm ed25519 -out key.pem
    openssl pkey -in key.pem -pubout -out public.pem
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
MAKE_ONE = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"


class SignatureError(ValueError):
    """A key that cannot be used, or a signature that is not that of the content."""


def private_key(file: Path) -> PrivateKey:
    """An unencrypted key of a PEM file. Raises SignatureError."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SignatureError(f"{file} is no private key: {error}; {MAKE_ONE}") from None
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise SignatureError(f"{file} is a {type(key).__name__}; expected Ed25519 or an elliptic curve; {MAKE_ONE}")
    return key


def sign(statement: dict[str, Any], key: PrivateKey) -> dict[str, Any]:
    """The statement in an envelope."""
    payload = json.dumps(statement, ensure_ascii=False).encode()
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(_encoded(payload))
    else:
        signature = key.sign(_encoded(payload), ECDSA(SHA256()))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode("ascii"),
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode("ascii")}],
    }


def is_envelope(document: dict[str, Any]) -> bool:
    return "payload" in document and "signatures" in document


def opened(envelope: dict[str, Any], public_file: Path | None) -> dict[str, Any]:
    """The statement inside; with a public key only if that key signed it. Raises SignatureError."""
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = {one["keyid"]: base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]}
        statement = json.loads(payload)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SignatureError(f"the envelope cannot be read ({error}): it was cut or changed") from None
    if public_file is not None:
        key = _public_key(public_file)
        if key_id(key) not in signatures:
            signed_by = ", ".join(name[:16] for name in signatures) or "nobody"
            raise SignatureError(f"not signed with {public_file} (key {key_id(key)[:16]}) but by {signed_by}")
        if envelope.get("payloadType") != PAYLOAD_TYPE or not _verifies(key, signatures[key_id(key)], payload):
            raise SignatureError(f"the signature is not that of the content under {public_file}: it was changed after")
    return dict(statement)


def key_id(key: Any) -> str:
    """SHA-256 of the public key as DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _public_key(file: Path) -> PublicKey:
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SignatureError(f"{file} is no public key: {error}; get it with `openssl pkey -pubout`") from None
    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise SignatureError(f"{file} is a {type(key).__name__}; expected Ed25519 or an elliptic curve")
    return key


def _verifies(key: PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, _encoded(payload))
        else:
            key.verify(signature, _encoded(payload), ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _encoded(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: type and content cannot be mistaken for one another."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
