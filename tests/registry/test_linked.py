"""Where DVC links results to its cache, a version's files are the very same: weights lie on the disk once."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_repository import SmallRepository, commit

pytestmark = pytest.mark.slow


def stored(repository: SmallRepository) -> Path:
    """The weights of the version that is the candidate."""
    model = repository.version("dpo").source.split("/")[-2]
    (found,) = [path for path in repository.stored_weights() if model in path.parts]
    return found


def train_again(repository: SmallRepository, cache_type: str) -> Path:
    """Under another seed; the weights that it leaves."""
    repository.run("dvc", "config", "--local", "cache.type", cache_type)
    recipe = repository.root / "params.yaml"
    recipe.write_text(recipe.read_text().replace("seed: 0", "seed: 3", 1))
    repository.run("dvc", "repro")
    commit(repository, "another seed")
    return repository.root / "models/dpo/model.safetensors"


def test_weights_are_stored_once_where_the_cache_is_linked(repository: SmallRepository) -> None:
    weights = train_again(repository, "hardlink,copy")
    cached = [path for path in (repository.root / ".dvc/cache/files").rglob("*") if path.is_file()]
    assert stored(repository).samefile(weights)
    assert any(path.samefile(weights) for path in cached)
    assert not weights.stat().st_mode & 0o222
    assert repository.registry("verify").returncode == 0
    assert repository.loads("models:/proofline-dpo@candidate").returncode == 0


def test_a_link_is_replaced_and_not_written_through(repository: SmallRepository) -> None:
    weights = train_again(repository, "hardlink,copy")
    whole = weights.read_bytes()
    # Cut off, as a damaged disk leaves it: another file in the place of the link.
    lost = stored(repository)
    lost.unlink()
    lost.write_bytes(whole[:1000])
    assert repository.registry("verify", check=False).returncode == 1
    repository.registry("register", "dpo")
    assert stored(repository).samefile(weights)

    # And from now on copies: the link goes, what it was linked to stays.
    repository.run("dvc", "config", "--local", "cache.type", "copy")
    (stored(repository).parents[1] / "MLmodel").write_text("damaged")
    repository.registry("register", "dpo")
    assert not stored(repository).samefile(weights)
    assert stored(repository).read_bytes() == weights.read_bytes() == whole
    assert repository.registry("verify").returncode == 0


def test_weights_are_copied_where_the_cache_is_copied(repository: SmallRepository) -> None:
    weights = train_again(repository, "copy")
    assert not stored(repository).samefile(weights)
    assert weights.stat().st_mode & 0o200
