"""`proofline manifest` and `proofline certify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_certificate_commands(commands: Subparsers) -> None:
    """Add `manifest` and `certify` to the command line."""
    manifest = commands.add_parser("manifest", help="note what the results decide in dvc.decisions.json, for git")
    manifest.add_argument(
        "--check", action="store_true", help="change nothing; fail where what is committed contradicts itself"
    )
    manifest.set_defaults(run=run_manifest)

    certify = commands.add_parser("certify", help="does a commit's dvc.lock come out again? Run it anew, and say so")
    certify.add_argument("revision", nargs="?", default="HEAD", metavar="REV")
    certify.add_argument("--stages", nargs="+", default=[], metavar="STAGE", help="only these and what they need")
    certify.add_argument("--output", type=Path, metavar="FILE", help="write the certificate here (in-toto, JSON)")
    certify.add_argument("--key", type=Path, help="PEM file: a private key to sign with; with --verify the public one")
    certify.add_argument("--keep", type=Path, metavar="DIR", help="make the clone here and leave it")
    what = certify.add_mutually_exclusive_group()
    what.add_argument("--show", type=Path, metavar="FILE", help="print a certificate as a table")
    what.add_argument("--verify", type=Path, metavar="FILE", help="check one against REV, its files and the registry")
    certify.set_defaults(run=run_certify)


def run_manifest(options: argparse.Namespace) -> None:
    from proofline.certificate.check import check_committed
    from proofline.certificate.commit import LOCK, read_commit
    from proofline.certificate.lock import parse_lock
    from proofline.certificate.machine import describe_machine
    from proofline.certificate.manifest import MANIFEST, make_manifest, write_manifest
    from proofline.config.environment import repository_root

    root = repository_root()
    if options.check:
        print(check_committed(read_commit(root)))
        return
    lock = parse_lock((root / LOCK).read_bytes())
    size = write_manifest(make_manifest(root, lock.outs, describe_machine(root)), root / MANIFEST)
    print(f"{MANIFEST}: {size:,} bytes")


def run_certify(options: argparse.Namespace) -> None:
    if options.show:
        from proofline.certificate.document import read_statement
        from proofline.certificate.show import as_text

        print(as_text(read_statement(options.show)))
    elif options.verify:
        _verify(options)
    else:
        _certify(options)


def _certify(options: argparse.Namespace) -> None:
    from proofline.certificate.certify import certify
    from proofline.certificate.compare import Class
    from proofline.certificate.document import write_document
    from proofline.certificate.registered import record
    from proofline.certificate.show import as_text
    from proofline.certificate.signing import private_key, sign
    from proofline.certificate.verify import CertificateError
    from proofline.config.environment import repository_root

    key = private_key(options.key) if options.key else None
    made = certify(repository_root(), options.revision, options.stages, options.keep)
    document: dict[str, Any] = sign(made.statement, key) if key else made.statement
    print(as_text(made.statement))
    if options.output:
        write_document(options.output, document)
        print(f"\n{options.output}" + ("" if options.key else " (not signed; see docs/certificate.md)"))
    print(f"run {record(made.statement, document, made.versions)} of the tracking store holds the certificate")
    for version in made.versions:
        print(f"attached to {version.name} version {version.number}")
    if made.found.rank == Class.DIFFERENT:
        bad = [*made.found.faults, *(f"{out}: {one.reason}" for out, one in made.found.different().items())]
        raise CertificateError("\n  ".join([f"{options.revision} did not come out again", *bad]))


def _verify(options: argparse.Namespace) -> None:
    from proofline.certificate.commit import read_commit
    from proofline.certificate.document import is_signed, read_statement
    from proofline.certificate.show import summary
    from proofline.certificate.verify import CertificateError, verify
    from proofline.config.environment import repository_root

    root = repository_root()
    statement = read_statement(options.verify, options.key)
    findings = verify(statement, read_commit(root, options.revision), root)
    if options.key:
        print(f"signed with {options.key}")
    elif is_signed(options.verify):
        print("signed, but by whom was not checked: name the public key with --key")
    else:
        print("not signed: anybody can have written it")
    for note in findings.notes:
        print(f"note: {note}")
    if findings.faults:
        raise CertificateError("\n  ".join([f"{options.verify} does not hold here", *findings.faults]))
    print(f"holds: {summary(statement['predicate'])}")
