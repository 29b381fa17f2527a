"""Nothing that is read can run: no line of the package unpickles, evaluates, or trusts code that lies beside data."""

from __future__ import annotations

import ast
from functools import cache

from source_graph import REPOSITORY

RUNS = {
    "eval",
    "exec",
    "compile",
    "pickle.load",
    "pickle.loads",
    "torch.load",
    "joblib.load",
    "dill.loads",
}
BETWEEN_OWN_PROCESSES = {"src/proofline/launch/processes.py"}
"""A refusal on its way up, in a temporary folder that nobody else may enter."""


@cache
def calls() -> list[tuple[str, str, ast.Call]]:
    """(file, what is called, the call) of all code that stages and commands consist of."""
    return [
        (path.relative_to(REPOSITORY).as_posix(), ast.unparse(node.func), node)
        for room in ("src", "stages")
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]


def test_nothing_is_unpickled_or_evaluated() -> None:
    wrong = [f"{path}:{node.lineno} {name}" for path, name, node in calls() if name in RUNS]
    assert not [line for line in wrong if line.partition(":")[0] not in BETWEEN_OWN_PROCESSES]


def test_whatever_loads_a_model_trusts_no_code_beside_it_and_no_pickle() -> None:
    loads = [(path, name, node) for path, name, node in calls() if name.endswith(".from_pretrained")]
    own = [(path, name, node) for path, name, node in loads if name.startswith("Auto")]
    assert len(own) > 5
    for path, name, node in own:
        given = {one.arg: ast.unparse(one.value) for one in node.keywords}
        assert given.get("trust_remote_code") == "False", f"{path}:{node.lineno} {name}: trust_remote_code=False"
        if "Model" in name:
            assert given.get("use_safetensors") == "True", f"{path}:{node.lineno} {name}: use_safetensors=True"
