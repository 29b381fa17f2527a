"""Execution settings: where and how fast a stage runs, never what comes out of it.

Each setting is an environment variable, `PROOFLINE_` and the field's name in capitals (`PROOFLINE_THREADS=4`), or a
line of the git-ignored `.execution.yaml` in the repository's root (`threads: 4`); the variable wins. DVC hashes
neither: moving to another machine, bucket or server invalidates no result. The run record notes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from proofline.config.load import ParamsError, read_yaml
from proofline.config.problems import explain

PREFIX = "PROOFLINE_"
FILE = ".execution.yaml"
Count = Annotated[int, Field(ge=1)]


class EnvironmentSettingsError(ValueError):
    """An execution setting that is unknown or impossible."""


def all_cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Environment(BaseModel):
    """Execution settings of one process. Text is converted, since variables hold nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data_root: str = "data/raw"
    """Folder of published data sets: a path (from the repository's root) or `gs://bucket/prefix`."""
    teacher_url: str = "http://127.0.0.1:8000/v1"
    """OpenAI-compatible API that the trace source `endpoint` asks. OPENAI_API_KEY is the key of all endpoints."""
    judge_url: str = "https://api.openai.com/v1"
    """The one that the judge `endpoint` asks."""
    sampling_url: str | None = None
    """The one that draws solutions and chains in place of this machine (vLLM, SGLang); unset: the own decoding loop."""
    sampling_model: str = "{policy}-{weights}"
    """Name of a policy there. With the hash of its weights in it the server states which weights it serves; without
    `{weights}` they are what you say."""
    sampling_server: str | None = None
    """Name and version of that server; unset: what it says of itself."""
    endpoint_requests: Count = 16
    """Requests to an endpoint at once."""
    endpoint_attempts: Count = 6
    """How often a question is asked while the failure may pass."""
    endpoint_timeout_seconds: Annotated[float, Field(gt=0.0)] = 300.0
    """For one whole answer."""
    endpoint_cache: str = ".endpoint"
    """Folder of the answers (a path from the repository's root): one that is there is not asked for again."""
    endpoint_price_prompt: Annotated[float, Field(ge=0.0)] | None = None
    """US dollars for a million tokens of prompts; with the next one, a run says what its answers cost."""
    endpoint_price_completion: Annotated[float, Field(ge=0.0)] | None = None
    """US dollars for a million tokens of answers."""
    tracking_uri: str = "sqlite:///mlflow.db"
    """MLflow server (`http://…`) or database (`sqlite:///` and a path from the repository's root)."""
    launcher: Literal["local", "accelerate", "ray"] = "local"
    """Who runs training, sampling and verification: this process, processes of this machine, or a Ray cluster."""
    processes: Count = 1
    """How many processes those stages get, in all; on GPUs one each. The global batch stays the recipe's."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 0
    """DeepSpeed ZeRO: what a training's processes shard; 0: nothing, 1: optimizer, 2: gradients too, 3: weights too."""
    restarts: Annotated[int, Field(ge=0)] = 2
    """How often a stage whose processes died is started again, from its last checkpoint where it has any."""
    ray_address: str | None = None
    """Head of a running Ray cluster (`host:6379`); unset: a cluster of this machine for the duration of the stage."""
    threads: Count | None = None
    """CPU threads of one process's numerical libraries; unset: the machine's cores, shared by the processes."""
    instructions: Literal["native", "avx2", "portable"] = "avx2"
    """What of an x86-64 CPU fp32 is computed with. `avx2`: the same bits on CPUs of one maker that have AVX2, for a
    tenth more time on newer ones; `portable`: the same bits on all of them, for half as much time again; `native`: all
    that there is."""
    slow_formats: bool = False
    """Train in a number format that this CPU has no instructions for, however long it takes; else that is refused."""
    micro_batch: Count | None = None
    """Rows in one forward pass of training; unset: the trainer's own choice. The global batch is the recipe's."""
    checkpoints: str = "checkpoints"
    """Where stages keep what they go on from: a path from the repository's root, or `gs://bucket/prefix`. `none`:
    nowhere, an interrupted one starts again."""
    save_steps: Count | None = None
    """Optimizer steps, or shards of samples, between two of them; unset: the first after a minute, then as often as
    costs 1% of the time."""
    keep_last: Count = 2
    """So many of a training's checkpoints stay until it is done."""
    keep_every: Count | None = None
    """And those whose steps are a multiple of this."""
    grace_seconds: Annotated[float, Field(ge=1.0)] = 30.0
    """What this machine gives a process between SIGTERM and its end; a spot machine of Google Cloud 30 s."""
    compile_layers: bool = False
    """Compile the decoder's layers before training (torch.compile): a minute's wait, for long trainings on a GPU."""
    sampling_rows: Count = 256
    """Sequences decoded together. Memory grows with it; samples depend on it only through rounding."""
    grader_workers: Count = Field(default_factory=all_cores)
    """Grading processes."""
    grader_deadline_seconds: Annotated[float, Field(gt=0.0)] = 10.0
    """CPU seconds; a grading that needs more is killed and its solution counted as unparsed, with that reason."""

    @field_validator("processes", "zero_stage")
    @classmethod
    def _more_than_one_process(cls, value: int, info: ValidationInfo) -> int:
        neutral = {"processes": 1, "zero_stage": 0}[str(info.field_name)]
        if value != neutral and info.data.get("launcher") == "local":
            raise ValueError(f"found {value}; launcher local is one process, set PROOFLINE_LAUNCHER=accelerate or ray")
        return value

    @field_validator("checkpoints")
    @classmethod
    def _a_place_that_is_known(cls, value: str) -> str:
        if not value or ("://" in value and not re.fullmatch(r"gs://[^/]+(/.*)?", value)):
            raise ValueError(f"found {value!r}; expected a folder, gs://bucket/prefix, or none")
        return value

    @field_validator("sampling_model")
    @classmethod
    def _can_be_filled(cls, value: str) -> str:
        try:
            value.format(policy="", weights="")
        except (KeyError, IndexError, ValueError):
            raise ValueError(f"found {value!r}; it may hold {{policy}} and {{weights}}, and no other braces") from None
        return value

    @property
    def checkpoint_bucket(self) -> str | None:
        """The bucket of checkpoints, if they are kept in one."""
        return self.checkpoints if "://" in self.checkpoints else None

    def checkpoint_folder(self, root: Path) -> Path:
        """This machine's folder of checkpoints, or of the locks of those that are elsewhere."""
        elsewhere = self.checkpoint_bucket or self.checkpoints == "none"
        return root / ("checkpoints" if elsewhere else Path(self.checkpoints).expanduser())

    @property
    def put_off_seconds(self) -> float:
        """For how long a stage may put SIGTERM off. The rest is for what comes after: its run's last word."""
        return max(self.grace_seconds - 10.0, self.grace_seconds / 2)

    @property
    def threads_each(self) -> int:
        """CPU threads of each process."""
        return self.threads or max(1, all_cores() // self.processes)


def load_environment(variables: Mapping[str, str] | None = None, root: Path | None = None) -> Environment:
    """Settings from the variables (default: this process's) and `.execution.yaml`. Raises EnvironmentSettingsError."""
    variables = os.environ if variables is None else variables
    root = repository_root() if root is None else root
    from_file = _file_settings(root / FILE)
    from_variables = {
        name.removeprefix(PREFIX).lower(): value for name, value in variables.items() if name.startswith(PREFIX)
    }

    def spell(key: str) -> str:
        return f"{FILE}: {key}" if key in from_file and key not in from_variables else PREFIX + key.upper()

    try:
        environment = Environment.model_validate(from_file | from_variables)
    except ValidationError as error:
        lines = explain(error, Environment, spell)
        raise EnvironmentSettingsError("\n  ".join(["execution settings", *lines])) from None
    # What the run record shows is what was used.
    return environment.model_copy(update={"threads": environment.threads_each, **_absolute(environment, root)})


def repository_root() -> Path:
    """The root of the repository: DVC's word where there is one, else the nearest folder upwards with a dvc.yaml.

    Under `dvc exp run --temp` and the queue the working directory is a copy while DVC_ROOT stays the user's repository:
    right for what all runs share, which is what this module names; a stage's own inputs are relative to where it runs.
    """
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "dvc.yaml").is_file()), here)


def _absolute(environment: Environment, root: Path) -> dict[str, str]:
    """The settings that may be relative paths, from the root on: a working directory must not move them."""
    absolute = {"endpoint_cache": str(root / Path(environment.endpoint_cache).expanduser())}
    if "://" not in environment.data_root:
        absolute["data_root"] = str(root / Path(environment.data_root).expanduser())
    scheme, separator, database = environment.tracking_uri.partition("sqlite:///")
    if separator and not scheme:
        absolute["tracking_uri"] = f"sqlite:///{root / database}"
    return absolute


def _file_settings(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        values = read_yaml(path)
    except ParamsError as error:
        raise EnvironmentSettingsError(str(error)) from None
    if not isinstance(values, dict | None):
        raise EnvironmentSettingsError(f"{path}: found {type(values).__name__}; expected lines such as `threads: 4`")
    return values or {}
