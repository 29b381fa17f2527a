"""`proofline registry`: list, register, promote, rollback."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

POLICIES = ("sft", "dpo", "genrm")
"""The policies that are trained, and so registered."""


def add_registry_commands(commands: Subparsers) -> None:
    """Add `registry` and its actions to the command line."""
    registry = commands.add_parser("registry", help="versions of the trained policies")
    actions = registry.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="all versions, with their aliases").set_defaults(run=run_list)
    add = actions.add_parser("register", help="register models/POLICY, left out by a cache or a lost server")
    advance = actions.add_parser("promote", help="make a version champion, if the reports show that it is better")
    advance.add_argument("--version", type=int, help="default: the candidate")
    advance.add_argument("--because", metavar="REASON", help="pass the gate without evidence; the reason is kept")
    back = actions.add_parser("rollback", help="make the champion before this one champion again")
    for action, run in ((add, run_register), (advance, run_promote), (back, run_rollback)):
        action.add_argument("policy", choices=POLICIES)
        action.set_defaults(run=run)


def run_list(options: argparse.Namespace) -> None:
    from proofline.registry.register import aliases, open_registry, versions

    client, _ = open_registry()
    for policy in POLICIES:
        named = aliases(client, policy)
        for version in versions(client, policy):
            names = ", ".join(alias for alias, number in named.items() if number == int(version.version))
            evidence = version.tags.get("proofline.evidence", "")
            print(f"{version.name} {version.version}  weights {version.tags['proofline.weights']}  {names}  {evidence}")


def run_register(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.registry.register import register_policy

    version = register_policy(repository_root(), options.policy)
    print(f"models/{options.policy} is version {version}, the candidate")


def run_promote(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.registry.promote import promote
    from proofline.registry.register import open_registry

    client, _ = open_registry()
    print(promote(client, options.policy, options.version, repository_root() / "reports", options.because))


def run_rollback(options: argparse.Namespace) -> None:
    from proofline.registry.promote import rollback
    from proofline.registry.register import open_registry

    client, _ = open_registry()
    print(f"version {rollback(client, options.policy)} of {options.policy} is champion again")
