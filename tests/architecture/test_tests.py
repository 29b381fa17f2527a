"""The tests are those of the project, whatever a user has made of its recipe and has lying there as results."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from checkout import REPOSITORY, SHIPPED, USERS

TESTS = REPOSITORY / "tests"


def reads_of_users_files(path: Path) -> list[str]:
    """Places where a test joins the repository's own path and the name of something that is a user's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = {"REPOSITORY"} | {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "__file__" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    joined = (node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    return [
        f"{path.relative_to(TESTS)}:{node.lineno}: {ast.unparse(node)}"
        for node in joined
        if ast.unparse(node.left) in roots or re.fullmatch(r"Path\(__file__\).*\]", ast.unparse(node.left))
        for name in [str(getattr(node.right, "value", ""))]
        if name.split("/")[0] in USERS and not name.endswith("README.md")
    ]


def test_no_test_reads_a_users_recipe_or_results() -> None:
    found = [place for path in sorted(TESTS.rglob("*.py")) for place in reads_of_users_files(path)]
    assert not found, f"take a profile of checkout.SHIPPED, or make what is needed: {found}"


def test_the_shipped_profiles_are_those_that_the_readme_lists() -> None:
    """The list stands in `checkout`, because a user's own profiles lie in the same folder."""
    rows = re.findall(r"^\| `([\w.-]+)` \|", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name for name in rows if (REPOSITORY / f"profiles/{name}.yaml").is_file()}
    assert listed == set(SHIPPED)
