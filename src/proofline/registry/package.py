"""The files of a version beside its weights: what MLflow needs to load it, serve it and build its environment.

    MLmodel  requirements.txt  python_env.yaml  conda.yaml  input_example.json  serving_input_example.json
    code/proofline/     the modules of this package that serving imports, so that the version loads without it
    model/              the Hugging Face folder, unchanged
    params.diff         how the recipe differed from its commit; absent where it did not

Which modules those are, and which libraries they need, is read off the compiled imports of `proofline.serving`, also
those inside functions; the libraries are pinned to the releases that made the version.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from proofline.registry.origin import Origin
from proofline.serving import serving_config

SOURCES = Path(__file__).parents[2]
LOADER = "proofline.serving"
QUESTION = "Tom has 14 pens and buys 3 bags of 12 pens. How many pens does he have?"
CANDIDATE_SOLUTION = "3*12=36\n14+36=50\n#### 50"


def write_package(folder: Path, policy: str, model_id: str | None, origin: Origin) -> None:
    """Write these files into `folder`, which is made; the weights are not among them."""
    import mlflow.pyfunc
    from mlflow.models import Model

    modules, libraries = closure()
    code = folder.parent / "code" / "proofline"
    for module in modules:
        target = code.parent / module.relative_to(SOURCES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, target)
    mlflow.pyfunc.save_model(
        str(folder),
        loader_module=LOADER,
        code_paths=[str(code)],
        mlflow_model=Model(run_id=origin.run_id, model_id=model_id),
        pip_requirements=[f"{name}=={installed(name).partition('+')[0]}" for name in libraries],
        signature=_signature(policy),
        input_example=_example(policy),
        model_config=serving_config(policy, origin.recipe),
    )
    if origin.recipe_diff:
        (folder / "params.diff").write_text(origin.recipe_diff + "\n", encoding="utf-8")


@cache
def closure() -> tuple[list[Path], list[str]]:
    """The files of this package that serving imports, and the distributions beyond it, both sorted."""
    finder = ModuleFinder(path=[str(SOURCES)])
    finder.import_hook(LOADER)
    paths = [getattr(module, "__file__", None) for module in finder.modules.values()]
    foreign = {name.partition(".")[0] for name in finder.badmodules} - sys.stdlib_module_names - {"proofline"}
    known = packages_distributions()
    libraries = {name for module in foreign for name in known.get(module, [])}
    return sorted(Path(path) for path in paths if path), sorted(
        libraries | {"mlflow", "safetensors", "tokenizers"}, key=str.lower
    )


def _signature(policy: str) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    if policy == "genrm":
        inputs = Schema([ColSpec("string", "question"), ColSpec("string", "candidate")])
        return ModelSignature(inputs, Schema([ColSpec("double", "p_yes"), ColSpec("string", "chain")]))
    # Unnamed: with a name MLflow refuses a plain list of texts in Python, though not over HTTP.
    return ModelSignature(Schema([ColSpec("string")]), Schema([ColSpec("string")]))


def _example(policy: str) -> Any:
    import pandas

    row = {"question": QUESTION} | ({"candidate": CANDIDATE_SOLUTION} if policy == "genrm" else {})
    return pandas.DataFrame([row])
