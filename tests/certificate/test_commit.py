"""A commit is read as git has it, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

from checkout import commit, typed

from proofline.certificate.commit import read_commit


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
