"""`params.yaml` -> Params, or one error that lists every problem in it.

YAML 1.2, as DVC reads it: `1e-5` is a number. A whole number is accepted where a number is expected (`epochs: 2`);
nothing else is converted: not `"2"`, not `true`, not `.inf`. Takes a fraction of a second and imports no numerical
library, so a stage calls it first and a typo is refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from proofline.config.problems import explain
from proofline.config.schema import Params


class ParamsError(ValueError):
    """A recipe that cannot be run. `problems` has one line each."""

    def __init__(self, path: Path | str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"{path}: {count}; nothing was run", *self.problems]))


def load_params(path: Path | str = "params.yaml") -> Params:
    """The recipe, checked. Raises ParamsError."""
    return parse_params(read_yaml(path), path)


def parse_params(values: object, path: Path | str = "params.yaml") -> Params:
    """Checks values that are already read; `path` is only named in errors."""
    if not isinstance(values, dict):
        raise ParamsError(path, [f"found {type(values).__name__}; expected sections: {', '.join(Params.model_fields)}"])
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(path, explain(error, Params)) from None


def read_yaml(path: Path | str) -> object:
    """Plain values of a YAML 1.2 file. Raises ParamsError where it cannot be read, or is not YAML."""
    try:
        return YAML(typ="safe").load(Path(path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ParamsError(path, [_not_utf8(error)]) from None
    except FileNotFoundError:
        where = Path(path).absolute().parent
        raise ParamsError(
            path, [f"no such file in {where}; start in the repository's root, or name the file"]
        ) from None
    except OSError as error:
        raise ParamsError(path, [f"cannot be read: {error.strerror}; expected a file that you may read"]) from None
    except (YAMLError, ValueError) as error:  # a date that does not exist is a bare ValueError
        raise ParamsError(path, [f"not YAML: {' '.join(str(error).split())}"]) from None


def _not_utf8(error: UnicodeDecodeError) -> str:
    start = error.object[:2]
    kind = "UTF-16" if start in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    line = error.object.count(b"\n", 0, error.start) + 1
    return f"line {line}: found byte 0x{error.object[error.start]:02x}, as of {kind}; save the file as UTF-8"
