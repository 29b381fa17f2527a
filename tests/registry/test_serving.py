"""`mlflow models serve` as MLflow documents it, asked over HTTP; and a version without its repository."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page import serving
from small_repository import SmallRepository, clean_environment, free_port, served

pytestmark = pytest.mark.slow

Served = tuple[str, str]
QUESTIONS = ["What is 2 + 3?", "What is 7 * 6?"]
PAIR = {"question": "What is 2 + 3?", "candidate": "2 + 3 = 5\n#### 5"}


@pytest.fixture(scope="module", params=["dpo", "genrm"])
def server(trained: SmallRepository, request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Served]:
    """A candidate served as docs/registry.md says: its policy and address. It is started in an empty folder; only the
    store is named."""
    port = free_port()
    command = shlex.split(serving(port)[0].replace("proofline-dpo", f"proofline-{request.param}"))
    assert command[4] == f"models:/proofline-{request.param}@candidate"
    address = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("served")
    with served(command, f"{address}/ping", folder, MLFLOW_TRACKING_URI=trained.uri):
        yield request.param, address


def ask(address: str, request: object) -> tuple[int, Any]:
    """Status and answer."""
    body = json.dumps(request).encode()
    asked = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=300) as answer:
            return answer.status, json.loads(answer.read())["predictions"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def requests_for(policy: str) -> list[object]:
    if policy == "genrm":
        table = {"columns": ["question", "candidate"], "data": [list(PAIR.values())] * 2}
        return [{"inputs": [PAIR, PAIR]}, {"dataframe_split": table}, {"dataframe_records": [PAIR, PAIR]}]
    return [
        {"inputs": QUESTIONS},
        {"instances": QUESTIONS},
        {"inputs": [{"question": question} for question in QUESTIONS]},
        {"dataframe_split": {"columns": ["question"], "data": [[question] for question in QUESTIONS]}},
        {"dataframe_records": [{"question": question} for question in QUESTIONS]},
    ]


def test_every_form_of_request_that_mlflow_documents_is_answered_alike(server: Served) -> None:
    policy, address = server
    answers = []
    for request in requests_for(policy):
        status, predictions = ask(address, request)
        assert status == 200, (request, predictions)
        answers.append(json.dumps(predictions))
        assert len(predictions) == 2
        assert all(isinstance(one["chain"] if policy == "genrm" else one, str) for one in predictions)
    assert len(set(answers)) == 1


@pytest.mark.parametrize("server", ["dpo"], indirect=True)
def test_the_questions_of_the_page_are_answered(server: Served) -> None:
    _, address = server
    _, questions = serving(int(address.rpartition(":")[2]))
    assert len(questions) == 2
    for question in questions:
        answered = subprocess.run(shlex.split(question), text=True, capture_output=True)
        assert '"predictions"' in answered.stdout, answered.stdout


def test_a_request_that_cannot_be_answered_is_refused_in_words(server: Served) -> None:
    _, address = server
    status, said = ask(address, {"dataframe_records": [{"text": "2 + 3"}]})
    assert 400 <= status < 600
    assert "question" in said


def test_its_own_example_is_answered(server: Served, trained: SmallRepository) -> None:
    policy, address = server
    folder = Path(trained.version(policy).source.removeprefix("file://"))
    status, predictions = ask(address, json.loads((folder / "serving_input_example.json").read_text()))
    assert status == 200, predictions
    assert len(predictions) == 1


def test_the_environment_files_name_what_an_index_has(trained: SmallRepository) -> None:
    folder = Path(trained.version("dpo").source.removeprefix("file://"))
    for name in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        assert "proofline" not in (folder / name).read_text()
    libraries = {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
    assert {"mlflow", "torch", "transformers", "pydantic", "numpy"} <= libraries
    assert libraries.isdisjoint({"dvc", "ray", "deepspeed", "trl", "datasets"}), "serving needs no trainer"


def test_a_version_loads_where_this_package_is_not_installed(trained: SmallRepository, tmp_path: Path) -> None:
    """An interpreter that does not find the installed package, and a copy of the version alone."""
    version = Path(trained.version("dpo").source.removeprefix("file://"))
    copy = shutil.copytree(version, tmp_path / "version")
    program = f"""
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        here = {str(copy / "code")!r}
        if name == "proofline" and here not in sys.path:
            raise ModuleNotFoundError("not installed")
sys.meta_path.insert(0, NotInstalled())
try:
    import proofline
except ModuleNotFoundError:
    pass
import mlflow.pyfunc
model = mlflow.pyfunc.load_model({str(copy)!r})
model.predict(["What is 2 + 3?"])
outside = [m.__file__ for n, m in sys.modules.items() if n.startswith("proofline") and m.__file__]
assert outside and all(file.startswith({str(copy)!r}) for file in outside), outside
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=clean_environment(None), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
