"""Problem sources behind one function: our generator, published benchmarks from the hub or from files, and the user's
own (see `own`).

The files of a folder are `gsm8k_train.jsonl.gz`, `gsm8k_test`, `math_train`, `math_test` (or `.jsonl`). How a folder
is read, be it local or `gs://`, is the caller's: `read_folder(name)` yields the rows of one file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from proofline.config.schema import Prepare, Published
from proofline.data.own import Brought
from proofline.data.published import BENCHMARKS, Benchmark, Row, SourceError
from proofline.data.synthetic import generate_problems
from proofline.records import SPLITS, Problem, Split

ReadFolder = Callable[[str], Iterable[Row]]
NOBODYS: Mapping[str, Brought] = MappingProxyType({})


def load_problems(
    section: Prepare, seed: int, read_folder: ReadFolder, own: Mapping[str, Brought] = NOBODYS
) -> Iterator[Problem]:
    """All problems of the recipe's sources, before curation; those in `own` are read already. Raises SourceError."""
    for source in section.sources:
        if source == "synthetic":
            for split in SPLITS:
                yield from generate_problems(split, getattr(section.synthetic, split), seed)
        elif source in section.own:
            yield from own[source].problems
        else:
            published: Published = getattr(section, source)
            yield from _published(source, published, read_folder)


def _published(source: str, section: Published, read_folder: ReadFolder) -> Iterator[Problem]:
    benchmark = BENCHMARKS[source]
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        rows = (
            read_folder(f"{source}_{split}")
            if section.origin == "folder"
            else hub_rows(benchmark, section.revision, split)
        )
        row = None
        for row in rows:
            yield benchmark.to_problem(row, split)
        if row is None:
            raise SourceError(f"{source}: the {split} split has no rows; fetch the data set again")


def hub_rows(benchmark: Benchmark, revision: str, split: str) -> Iterator[Row]:
    """The rows of a hub data set at a commit. Raises SourceError where the hub cannot be reached."""
    from datasets import load_dataset

    for config in benchmark.configs:
        try:
            rows = load_dataset(benchmark.repository, config, revision=revision, split=split)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"cannot load {benchmark.repository} ({config}, {split}) at revision {revision}: {error}\n"
                "Without a network, put the files under PROOFLINE_DATA_ROOT and set the source's origin to folder."
            ) from error
        for number, fields in enumerate(rows):
            yield f"{benchmark.repository} {config}/{split}:{number}", fields
