"""A commit is read as git has it, and nothing beside it; a certificate that means harm is none."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from checkout import commit, typed

from proofline.certificate.commit import read_commit
from proofline.certificate.document import parse_statement
from proofline.certificate.signing import SignatureError


@pytest.mark.parametrize("inside", [False, True], ids=["bare", "in an envelope"])
def test_json_that_is_nested_without_end_is_no_certificate(inside: bool) -> None:
    deep = b"[" * 100_000
    envelope = {"payload": base64.b64encode(deep).decode(), "signatures": []}
    with pytest.raises(SignatureError, match=r"is no certificate|cannot be read"):
        parse_statement(json.dumps(envelope).encode() if inside else deep, "it")


def test_a_link_out_of_the_commit_names_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    typed(["git", "init", "-q"], root)
    (tmp_path / "secret").write_text("not ours")
    (root / "params.yaml").write_text("seed: 0\n")
    for name, target in (("inside", "params.yaml"), ("outside", "../secret"), ("absolute", "/etc/hostname")):
        (root / name).symlink_to(target)
    commit(root)
    assert read_commit(root).files == {"params.yaml": b"seed: 0\n", "inside": b"seed: 0\n"}
