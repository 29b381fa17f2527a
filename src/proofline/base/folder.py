"""A model of one's own: a folder, here or in a bucket, that has to be the one that the recipe means.

The recipe holds two hashes, of the weights and of all other files. So a folder that has changed, or another one under
its name, is refused, and another place of the same files gives the same results.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from proofline.base.fitting import examine
from proofline.config.environment import repository_root
from proofline.config.schema import Base
from proofline.storage.folders import WEIGHTS, bring, files_hash, model_files
from proofline.storage.weights import weights_hash


class IdentityError(ValueError):
    """The folder does not hold the model that the recipe means."""


def bring_folder(section: Base, target: Path) -> None:
    """Make the folder's files those of `target`. Raises IdentityError, ReadError."""
    where = place(section)
    bring(where, model_files(where), target)
    refuse_other(section, {"weights": weights_hash(target), "files": files_hash(target)})


def check_folder(section: Base, longest: int) -> list[str]:
    """What `proofline check` says of the folder, for texts of so many tokens. Raises ModelError, IdentityError,
    ReadError.

    Of a bucket all but the weights are looked at; these are when the stage has them.
    """
    where = place(section)
    names = model_files(where)
    if "://" not in where:
        found = {"weights": weights_hash(where), "files": files_hash(Path(where))}
        return _looked_at(section, found, partial(examine, Path(where), where, longest=longest))
    with TemporaryDirectory() as room:
        bring(where, [name for name in names if not fnmatch(name, WEIGHTS)], Path(room))
        look = partial(examine, Path(room), where, weights=False, longest=longest)
        lines = _looked_at(section, {"files": files_hash(Path(room))}, look)
    return [*lines, "its weights are in a bucket: the stage `base` looks at them when it has them"]


def _looked_at(section: Base, found: dict[str, str], look: Callable[[], list[str]]) -> list[str]:
    """What a look finds at the model of the recipe; where the recipe has no hashes yet, at whatever lies there."""
    if section.weights or section.files:
        refuse_other(section, found)
    lines = look()
    refuse_other(section, found)
    return lines


def place(section: Base) -> str:
    """The folder of the recipe: its URL, or its path from the repository's root on."""
    folder = section.folder or ""
    return folder if "://" in folder else str(repository_root() / Path(folder).expanduser())


def refuse_other(section: Base, found: dict[str, str]) -> None:
    """Raises IdentityError where a hash is not the recipe's."""
    said = {name: getattr(section, name) for name in found}
    if said == found:
        return
    unlike = [name for name in found if said[name] != found[name]]
    differ = "; ".join(f"base.{name} is {said[name] or 'not set'}, found {found[name]}" for name in unlike)
    lines = "".join(f'\n  {name}: "{value}"' for name, value in found.items())
    raise IdentityError(
        f"{section.folder} is not the model of the recipe: {differ}. Restore the folder, or, where it is the model "
        f"that you mean, say so under base in params.yaml:{lines}"
    )
