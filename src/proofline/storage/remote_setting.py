"""`proofline remote set`: which bucket is DVC's remote, written where git keeps it; how to get in, where git does not.

In: `gs://bucket/prefix`, and what only this machine knows (a key file, an endpoint). Out: `.dvc/config`, which is
committed, and `.dvc/config.local`, which is not. A secret that lies in the repository is refused, in every spelling.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NAME = "bucket"
OURS = ("credentialpath", "endpointurl", "allow_anonymous_login")
"""DVC's options for a remote that belong to a machine or a person."""
WAYS_IN = {"credentialpath", "allow_anonymous_login"}
"""Of which the last one that was chosen holds."""
KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
URL = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^/?#@]+)*/?")


class RemoteError(ValueError):
    """A remote that cannot be set or used, or that does not hold what it should."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """What DVC cannot do or read (no repository, a damaged dvc.yaml or .dvc/config) as a RemoteError with its words."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise RemoteError(f"DVC: {error}") from error


@dataclass(frozen=True)
class Access:
    """How this machine gets in; nothing: by what Google's libraries find."""

    key: Path | None = None
    endpoint: str | None = None
    anonymous: bool = False

    def options(self) -> dict[str, object]:
        """As DVC calls them."""
        given = {
            "credentialpath": None if self.key is None else str(self.key.expanduser().absolute()),
            "endpointurl": self.endpoint,
            "allow_anonymous_login": True if self.anonymous else None,
        }
        return {name: value for name, value in given.items() if value is not None}


def set_remote(root: Path, url: str, access: Access, name: str = NAME) -> dict[str, object]:
    """Make `url` the default remote of the repository at `root`; returns what `.dvc/config.local` says of it.

    Options of an earlier remote of that name stay; those that belong to this machine move to `.dvc/config.local`.
    Raises RemoteError, before anything is written.
    """
    from dvc.config import Config

    if not URL.fullmatch(url) or "/.." in url or "/./" in url:
        shown = "" if re.search("[@?#]", url) else f", found {url!r}"
        raise RemoteError(
            f"expected gs://BUCKET/PREFIX without a user, a password or a query{shown}; credentials are given by --key "
            "or the environment, remotes of other kinds are set by `dvc remote add --default`"
        )
    if not (root / ".dvc").is_dir():
        raise RemoteError(f"{root} is no repository of DVC's: change into one, or make it one (`dvc init`)")
    config = Config(str(root / ".dvc"), validate=False)
    before = config.read("repo")["remote"].get(name, {})
    kept = {option: value for option, value in before.items() if option not in OURS}
    ours = {option: value for option, value in before.items() if option in OURS}
    ours |= config.read("local")["remote"].get(name, {})
    chosen = access.options()
    if WAYS_IN & set(chosen):
        ours = {option: value for option, value in ours.items() if option not in WAYS_IN}
    ours |= chosen
    if access.key is not None:
        check_key(access.key.expanduser())
    check_secrets(root, str(ours["credentialpath"]) if "credentialpath" in ours else None)
    if ours:
        with config.edit("local", validate=False) as local:
            local["remote"][name] = ours
    with config.edit("repo", validate=False) as shared:
        shared["remote"][name] = kept | {"url": url.rstrip("/"), "verify": True}
        shared["core"]["remote"] = name
    return ours


def check_secrets(root: Path, key: str | None = None, variables: Mapping[str, str] = os.environ) -> None:
    """Raises RemoteError where a key lies in the repository, or git would keep `.dvc/config.local`."""
    under_git = _git(root, "rev-parse", "--show-toplevel")
    top = Path(under_git or root)
    for said_by, path in ((f"{KEY_VARIABLE} of the environment", variables.get(KEY_VARIABLE)), ("the key", key)):
        if path and any(place.is_relative_to(inside) for place in _places(path) for inside in _places(top)):
            raise RemoteError(
                f"{said_by} is {path}, in the repository {top}, where `git add` would publish it: move it out, for "
                "example to ~/.config/proofline/, and name it there"
            )
    local = root / ".dvc/config.local"
    if under_git and _git(root, "check-ignore", str(local)) is None:
        raise RemoteError(
            f"git does not ignore {local}, which holds what is secret: put the line /config.local into "
            f"{root / '.dvc/.gitignore'} and `git rm --cached {local}` if it was committed"
        )


def check_key(path: Path) -> None:
    """Raises RemoteError where this is not a file of credentials; says nothing of what stands in it."""
    try:
        kind = json.loads(path.read_bytes())["type"]
    except OSError as error:
        raise RemoteError(f"--key takes the path of a JSON key file; it cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        kind = None
    if kind not in ("service_account", "authorized_user", "external_account", "impersonated_service_account"):
        raise RemoteError(
            f"{path} is no key file of Google's: expected JSON with a `type`, as the console and "
            "`gcloud iam service-accounts keys create` write it"
        )


def _places(path: Path | str) -> set[Path]:
    """A path as it is spelled, and where it leads."""
    spelled = Path(path).expanduser()
    return {Path(os.path.abspath(spelled)), spelled.resolve()}


def _git(root: Path, *command: str) -> str | None:
    """What git prints; None where it fails, as it does outside of a repository."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    done = subprocess.run([*git, *command], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
