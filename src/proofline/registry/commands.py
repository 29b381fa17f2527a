"""`proofline registry`: list, verify, history, register, promote, rollback."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from proofline.config.schema import TRAINED

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_registry_commands(commands: Subparsers) -> None:
    """Add `registry` and its actions to the command line."""
    registry = commands.add_parser("registry", help="versions of the trained policies")
    actions = registry.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="all versions: date, seed, evaluation, aliases").set_defaults(run=run_list)
    actions.add_parser("verify", help="does every version load, with its own weights?").set_defaults(run=run_verify)
    add = actions.add_parser("register", help="register models/POLICY, left out by a cache or a lost server")
    advance = actions.add_parser("promote", help="make a version champion, if the reports show that it is better")
    advance.add_argument("--because", metavar="REASON", help="pass the gate without evidence; the reason is kept")
    which = advance.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="default: the candidate")
    which.add_argument(
        "--experiment", metavar="NAME", help="version and reports of an experiment of DVC's, or a commit"
    )
    back = actions.add_parser("rollback", help="make the champion before this one champion again")
    past = actions.add_parser("history", help="all promotions and roll-backs, with their evidence")
    for action, run in ((add, run_register), (advance, run_promote), (back, run_rollback), (past, run_history)):
        action.add_argument("policy", choices=TRAINED)
        action.set_defaults(run=run)


def run_list(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.registry.overview import listing
    from proofline.registry.store import plain_errors, read_registry

    with plain_errors():
        for line in listing(read_registry(), repository_root()):
            print(line)


def run_verify(options: argparse.Namespace) -> None:
    from proofline.registry.overview import verification
    from proofline.registry.store import RegistryError, plain_errors, read_registry

    held = []
    with plain_errors():
        for line, holds in verification(read_registry()):
            print(line, flush=True)
            held.append(holds)
    if not all(held):
        raise RegistryError(f"{held.count(False)} of {len(held)} versions do not hold")


def run_register(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.registry.register import register_policy

    version = register_policy(repository_root(), options.policy)
    print(f"models/{options.policy} is version {version}, the candidate")


def run_promote(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.registry.evidence import reports_of
    from proofline.registry.promote import promote, version_of
    from proofline.registry.store import plain_errors, read_registry

    with plain_errors():
        client, root = read_registry(), repository_root()
        if options.experiment is None:
            print(promote(client, options.policy, options.version, root / "reports", options.because))
            return
        with reports_of(root, options.experiment) as reports:
            version = version_of(client, options.policy, reports)
            print(f"version {version}: {promote(client, options.policy, version, reports, options.because)}")


def run_rollback(options: argparse.Namespace) -> None:
    from proofline.registry.promote import rollback
    from proofline.registry.store import plain_errors, read_registry

    with plain_errors():
        print(f"version {rollback(read_registry(), options.policy)} of {options.policy} is champion again")


def run_history(options: argparse.Namespace) -> None:
    from proofline.registry.overview import told
    from proofline.registry.store import plain_errors, read_registry

    with plain_errors():
        for line in told(read_registry(), options.policy):
            print(line)
