"""`proofline remote set`, `proofline push` and `proofline verify-remote`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proofline.storage.dvc_remote import Remote
    from proofline.storage.remote_objects import Difference, Object


def add_storage_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    remote = commands.add_parser("remote", help="the bucket that results are shared through")
    setting = remote.add_subparsers(metavar="ACTION", required=True).add_parser(
        "set", help="make gs://BUCKET/PREFIX the remote of this repository; credentials stay out of git"
    )
    setting.add_argument("url", metavar="gs://BUCKET/PREFIX")
    setting.add_argument("--name", default="bucket", help="of the remote, for DVC (default: bucket)")
    way_in = setting.add_mutually_exclusive_group()
    way_in.add_argument("--key", type=Path, metavar="FILE", help="a key file outside the repository, for this machine")
    way_in.add_argument("--anonymous", action="store_true", help="the bucket is public, or an emulator")
    setting.add_argument("--endpoint", metavar="URL", help="where the API is served, if not by Google (an emulator)")
    setting.set_defaults(run=run_remote_set)

    push = commands.add_parser("push", help="dvc push, run cache included; then every object is compared")
    push.add_argument("--remote", metavar="NAME", help="not the default one")
    push.set_defaults(run=run_push)

    verify = commands.add_parser("verify-remote", help="is every object in the remote, whole and unchanged?")
    verify.add_argument("--remote", metavar="NAME", help="not the default one")
    verify.add_argument("--repair", action="store_true", help="upload again what is not, from the cache")
    verify.set_defaults(run=run_verify_remote)


def run_remote_set(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.storage.remote_setting import Access, plain_errors, set_remote

    access = Access(options.key, options.endpoint, options.anonymous)
    with plain_errors():
        ours = set_remote(repository_root(), options.url, access, options.name)
    print(f".dvc/config, for git: the default remote is {options.url.rstrip('/')}, and what is pulled is hashed again")
    for option, value in ours.items():
        print(f".dvc/config.local, which git ignores: {option} = {value}")
    print("next: git add .dvc/config, git commit, proofline push")


def run_push(options: argparse.Namespace) -> None:
    from dvc.cli import main as dvc

    from proofline.storage.progress import visible_progress
    from proofline.storage.remote_setting import RemoteError, plain_errors

    chosen = ["--remote", options.remote] if options.remote else []
    with plain_errors(), visible_progress():
        remote = _checked_remote(options.remote)
        status = dvc(["push", "--run-cache", *chosen])
        if status:
            raise RemoteError(
                f"`dvc push` ended with status {status}, see above. What has arrived at {remote.address} stays: "
                "`proofline push` sends the rest, `proofline verify-remote` says what that is"
            )
        objects = remote.objects()
        wrong = remote.compare(objects)
    report(remote, objects, wrong)


def run_verify_remote(options: argparse.Namespace) -> None:
    from proofline.storage.progress import visible_progress
    from proofline.storage.remote_setting import plain_errors

    with plain_errors(), visible_progress():
        remote = _checked_remote(options.remote)
        objects = remote.objects()
        wrong = remote.compare(objects)
        if options.repair and wrong:
            found, wrong = wrong, remote.repair(wrong)
            for one in found:
                print(f"{'still' if one.object in [other.object for other in wrong] else 'mended'}: {one}")
    report(remote, objects, wrong)


def _checked_remote(name: str | None) -> Remote:
    """The remote, once nothing stands in the way of using it: damaged files of DVC's, secrets in the repository."""
    from proofline.config.environment import repository_root
    from proofline.storage.dvc_remote import open_remote
    from proofline.storage.dvc_state import check_dvc_state
    from proofline.storage.remote_setting import check_secrets

    root = repository_root()
    check_dvc_state(root)
    remote = open_remote(root, name)
    check_secrets(root, remote.key)
    return remote


def report(remote: Remote, objects: Sequence[Object], wrong: Sequence[Difference]) -> None:
    """Say what is there. Raises RemoteError where something differs."""
    from proofline.storage.remote_setting import RemoteError
    from proofline.storage.space import spelled

    runs = sum(one.order == 2 for one in objects)
    size = spelled(sum(one.size or 0 for one in objects))
    if unknown := remote.unknown():
        print(f"not in dvc.lock, so not in the remote: {', '.join(unknown)}; `dvc repro` makes them")
    if not wrong:
        print(f"{remote.address}: all {len(objects) - runs} objects and {runs} runs are there, byte for byte ({size})")
        return
    print(f"{remote.address}: {len(wrong)} of {len(objects)} differ")
    for one in wrong:
        print(f"  {one}")
    lost = sum(not one.object.is_sound for one in wrong)
    remedies = []
    if lost < len(wrong):
        remedies.append("`proofline verify-remote --repair` uploads from the cache what it has.")
    if lost:
        remedies.append(
            f"This cache has no sound copy of {lost}: repair from a machine that has, or `dvc repro` makes them anew."
        )
    raise RemoteError(f"{len(wrong)} objects are not in {remote.address} as they should be. {' '.join(remedies)}")
