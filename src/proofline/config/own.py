"""A source of problems that the user brings: JSON Lines files, and how their rows are meant.

docs/your-problems.md shows how one is written.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from proofline.config.section import Section

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""Begins the ids of a source's problems, and names its benchmarks in tables and metrics."""
OwnField = Literal["question", "answer", "solution", "id", "level", "family", "split"]


class OwnFile(Section):
    """One file of a source."""

    path: str
    """`gs://…`, an absolute path, or one under `$PROOFLINE_DATA_ROOT`. A name in `.gz` is unpacked."""
    sha256: str
    """Of the file as it lies there, so that the recipe says what was read, wherever it was read from."""
    split: Literal["train", "dev", "test"] | None
    """Of all its rows; null: what a row's field `split` says, and where it says nothing a split is made."""


class Own(Section):
    """The user's own problems."""

    files: Annotated[tuple[OwnFile, ...], Field(strict=False)]
    fields: dict[OwnField, str | None]
    """What the files call a field that they do not call as we do; null: it is not read."""
    answers: Literal["number", "expression"]
    """`number`: whole, decimal or a fraction, stated as `#### 24`. `expression`: all that the graders can compare,
    stated as `\\boxed{…}`."""
    demonstration: str | None
    """How a row without a `solution` is solved for SFT: `{answer}`, `{question}` and the row's own fields are
    replaced. null: such a row is sampled and graded, but not demonstrated."""
    test_fraction: Annotated[float, Field(ge=0.0, le=1.0)]
    """Share of the clusters of kin that go to test, of the rows whose split is made."""
    train: Annotated[int, Field(ge=0)] | None
    """As of a published benchmark."""
    test: Annotated[int, Field(ge=0)] | None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.files:
            raise ValueError("files: found []; name at least one file")
        if self.demonstration is not None and "{answer}" not in self.demonstration:
            raise ValueError(
                f"demonstration has to hold {{answer}}; found {self.demonstration!r}. "
                'Try "{equation} = {answer}\\n#### {answer}", or null'
            )
        return self
