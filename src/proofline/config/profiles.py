"""Profiles: whole recipes that are shipped in `profiles/NAME.yaml` and merged into `params.yaml`.

A profile sets every key. Merging writes its values into `params.yaml` in place: comments, order and spelling of the
file stay (a ruamel round trip), and plain `dvc repro`, hand edits and `dvc exp run -S` work on top, because to DVC
there is only `params.yaml`.

A recipe that differs from every profile holds hand edits. `use` refuses to replace those and names them; with `force`
it keeps the old file beside the new one. Refusing is the default because the command is typed in passing and run by
scripts, and a backup that nobody expects is found by nobody.
"""

from __future__ import annotations

import difflib
import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from proofline.config.load import ParamsError, parse_params, read_yaml

PARAMS = "params.yaml"
FOLDER = "profiles"
NAME = re.compile(r"[^\W_](?:[\w.-]{0,62}\w)?")
"""A name that is a file's name everywhere, and never the way to another folder."""


class ProfileError(ValueError):
    """A profile that does not exist, or that would replace hand edits or another profile."""


class Change(NamedTuple):
    """One key of the recipe: what it was and what it becomes."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.key}: {_text(self.old)} -> {_text(self.new)}"


def profile_names(root: Path) -> list[str]:
    """The profiles of a repository, by name."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))


def describe(root: Path, name: str) -> str:
    """What a profile is for: the first line of its file, a comment."""
    with open(profile_path(root, name), encoding="utf-8") as lines:
        return next(lines, "").lstrip("# ").rstrip()


def profile_path(root: Path, name: str) -> Path:
    """The file of a profile. Raises ProfileError with the nearest name."""
    names = profile_names(root)
    if name in names:
        return root / FOLDER / f"{name}.yaml"
    match = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {match[0]}?" if match else f"there are: {', '.join(names) or 'none'}"
    raise ProfileError(f"no profile {name!r} in {root / FOLDER}; {remedy}")


def changes(before: object, after: object, prefix: str = "") -> list[Change]:
    """The leaves by which two recipes differ, in the order of `after`; an absent key counts as None."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return [] if _equal(before, after) else [Change(prefix, before, after)]
    names = [*after, *(name for name in before if name not in after)]
    nested = (changes(before.get(name), after.get(name), f"{prefix}.{name}".lstrip(".")) for name in names)
    return [change for part in nested for change in part]


def differences(root: Path, name: str) -> list[Change]:
    """How `params.yaml` differs from a profile."""
    return changes(_values(profile_path(root, name)), _values(root / PARAMS))


def nearest_profile(root: Path) -> tuple[str, list[Change]]:
    """The profile that `params.yaml` differs least from, and the hand edits: how the recipe differs from it."""
    edits = {name: differences(root, name) for name in profile_names(root)}
    if not edits:
        raise ProfileError(f"no profiles in {root / FOLDER}")
    name = min(edits, key=lambda name: len(edits[name]))
    return name, edits[name]


def use_profile(root: Path, name: str, *, force: bool = False) -> tuple[list[Change], Path | None]:
    """Merge a profile into `params.yaml`. Returns the changes and, where edits were replaced, the old file's copy."""
    source, target = profile_path(root, name), root / PARAMS
    recipe = _values(source)
    parse_params(recipe, source)
    made = changes(_values(target), recipe)
    nearest, edits = nearest_profile(root)
    # An edit that the new profile agrees with is not lost.
    lost = [edit for edit in edits if edit.key in {change.key for change in made}]
    if lost and not force:
        raise ProfileError(
            "\n  ".join([f"{PARAMS} is {nearest} with edits that {name} would replace:", *map(str, lost)])
            + "\nkeep them as a profile with `proofline profile save NEW_NAME`, or replace them with --force"
        )
    backup = _copied(target) if lost else None
    merge(target, source)
    return made, backup


def save_profile(root: Path, name: str, *, force: bool = False) -> list[Change]:
    """Write the recipe of `params.yaml` as a profile; an old one's comments stay. Returns the changes.

    Raises ProfileError where the name is none, or is taken and replacing it is not asked for.
    """
    if not NAME.fullmatch(name):
        raise ProfileError(f"found {name!r}; a profile's name is letters, digits, and .-_ within: at most 64, no path")
    source, target = root / PARAMS, root / FOLDER / f"{name}.yaml"
    if target.exists() and not force:
        raise ProfileError(f"there is a profile {name!r} already; save under another name, or replace it with --force")
    recipe = _values(source)
    parse_params(recipe, source)
    if not target.exists():
        _write(target, f"# Saved from {PARAMS}\n{source.read_text(encoding='utf-8')}")
        return []
    made = changes(_values(target), recipe)
    merge(target, source)
    return made


def _values(path: Path) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ParamsError(path, [f"found {type(values).__name__}; expected the sections of a recipe"])
    return values


def merge(target: Path, source: Path) -> None:
    """Make the values of `target` those of `source`, leaving everything else of its text as it is."""
    yaml = YAML()
    yaml.Representer = _Explicit
    yaml.preserve_quotes = True
    yaml.width = 10_000
    merged = yaml.load(target)
    _assign(merged, yaml.load(source))
    text = io.StringIO()
    yaml.dump(merged, text)
    _write(target, text.getvalue())


class _Explicit(RoundTripRepresenter):
    """Writes null as `null`; an empty value would read as one somebody forgot."""


_Explicit.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _assign(target: MutableMapping[str, Any], source: Mapping[str, Any]) -> None:
    for name in [name for name in target if name not in source]:
        del target[name]
    for name, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(name), MutableMapping) and target[name]:
            _assign(target[name], value)
        elif name not in target or not _equal(target[name], value):
            target[name] = value


def _equal(one: object, other: object) -> bool:
    """Equal as values of a recipe: 2 is 2.0, but 1 is not true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _copied(path: Path) -> Path:
    """A copy under the first free name `params.yaml.bak-N`."""
    number = next(number for number in itertools.count(1) if not path.with_name(f"{path.name}.bak-{number}").exists())
    return Path(shutil.copy2(path, path.with_name(f"{path.name}.bak-{number}")))
