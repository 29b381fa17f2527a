"""The imports of the source tree, read from its syntax: nothing is executed, and a late import counts as an early one.

Modules are dotted names (`proofline.data.pairs`); a package is its `__init__`.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"


@cache
def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in sorted(SOURCE.glob("proofline/**/*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room(module: str) -> str:
    """`proofline.data.pairs` -> `data`; the package itself is ``."""
    return module.partition(".")[2].partition(".")[0]


@cache
def imports(path: Path, *, runtime_only: bool = False) -> frozenset[str]:
    """Absolute names a file imports: modules of ours as such, others as written (`torch.nn`).

    With `runtime_only`, imports under `if TYPE_CHECKING:` are left out: they never run.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in _walk(tree, runtime_only):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            base = node.module or ""
            for alias in node.names:
                # `from proofline.data import pairs` imports a module, `from proofline.data.pairs import x` a name.
                whole = f"{base}.{alias.name}"
                names.add(whole if whole in modules() else base)
        elif isinstance(node, ast.Constant) and node.value in modules() and runtime_only:
            # A module that is started by its name, in a process of its own.
            names.add(node.value)
    return frozenset(names)


def _walk(node: ast.AST, runtime_only: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if runtime_only and isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from _walk(child, runtime_only)


def closure(path: Path, neutral: Collection[str] = ()) -> set[str]:
    """Modules of ours that run when the file runs: what it imports, what those import, and every package above them.

    Rooms named `neutral` are left out, and so is what only they import.
    """
    reached: set[str] = set()
    waiting = set(imports(path, runtime_only=True))
    while waiting:
        name = waiting.pop()
        if name in reached or name not in modules() or room(name) in neutral:
            continue
        reached.add(name)
        waiting |= imports(modules()[name], runtime_only=True)
        waiting.add(name.rpartition(".")[0])
    return reached


def only_text(path: Path) -> bool:
    """Nothing but a docstring and constants that name the package: such a module cannot change a result."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)
