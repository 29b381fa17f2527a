"""Two at once, as processes of their own that are made to meet in the middle: one wins, the other is told.

`meet` stands in the place of a step and lets it go on only when all others are there too, so that the outcome does
not depend on how busy the machine is.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from forked import Altered
from small_repository import SmallRepository, clean_environment

pytestmark = pytest.mark.slow


def meet(step: Callable[..., Any]) -> Callable[..., Any]:
    def delayed(*arguments: Any, **options: Any) -> Any:
        result = step(*arguments, **options)
        Path(os.environ["MEETING"], str(os.getpid())).touch()
        while len(os.listdir(os.environ["MEETING"])) < int(os.environ["COMERS"]):
            time.sleep(0.02)
        return result

    return delayed


PROMOTE = Altered("proofline.registry.promote", "examine", meet)
REGISTER = Altered("proofline.registry.register", "store_files", meet)


def all_at_once(
    repository: SmallRepository, meeting: Path, altered: Altered, *commands: list[str]
) -> list[tuple[int, str, str]]:
    """Exit status, stdout and stderr of each command."""
    meeting.mkdir()
    environment = clean_environment(
        repository.root, **repository.variables, MEETING=str(meeting), COMERS=str(len(commands))
    )
    begun = [
        forked.begin_command(["registry", *command], repository.root, environment, altered) for command in commands
    ]
    ended = [outcome() for outcome in begun]
    return [(done.returncode, done.stdout, done.stderr) for done in ended]


def test_of_several_promotions_at_once_one_wins_and_the_others_are_told(
    repository: SmallRepository, shifted: Callable[[float], Path], tmp_path: Path
) -> None:
    add = "from pathlib import Path; from proofline.config.load import load_params; import sys\n"
    add += "from proofline.registry.register import register_version\n"
    add += "[register_version(Path(folder), 'dpo', {}, None, load_params()) for folder in sys.argv[1:]]"
    repository.run(sys.executable, "-c", add, str(shifted(0.3)), str(shifted(0.4)))
    commands = [["promote", "dpo", "--version", str(number), "--because", f"turn {number}"] for number in (1, 2, 3)]
    done = all_at_once(repository, tmp_path / "meeting", PROMOTE, *commands)
    assert sorted(status for status, _, _ in done) == [0, 1, 1]
    winner = next(number for number, (status, _, _) in enumerate(done, 1) if status == 0)
    for status, _, err in done:
        if status:
            assert re.search(rf"has got another champion meanwhile.* promoted version {winner}  by ", err)
            assert "Traceback" not in err
    assert int(repository.version("dpo", "champion").version) == winner
    told = repository.registry("history", "dpo").stdout
    assert told.count("\n") == 1
    assert f"turn {winner}" in told


@pytest.mark.parametrize("known", [False, True])
def test_two_who_register_the_same_new_weights_at_once_make_one_version(
    repository: SmallRepository, tmp_path: Path, known: bool
) -> None:
    """In a store that has the model already, and in one that is made in the same moment."""
    if not known:
        repository.variables["PROOFLINE_TRACKING_URI"] = f"sqlite:///{tmp_path}/other.db"
        repository.registry("register", "genrm")  # makes the store
    client = repository.client()
    for version in client.search_model_versions("name = 'proofline-dpo'"):
        client.delete_model_version("proofline-dpo", version.version)
    before = repository.stored_weights()
    done = all_at_once(repository, tmp_path / "meeting", REGISTER, ["register", "dpo"], ["register", "dpo"])
    assert [status for status, _, _ in done] == [0, 0], done
    assert len({out for _, out, _ in done}) == 1
    versions: list[Any] = client.search_model_versions("name = 'proofline-dpo'")
    assert len(versions) == 1
    assert client.get_model_version_by_alias("proofline-dpo", "candidate").version == versions[0].version
    assert len(repository.stored_weights()) == len(before) + 1, "the other one's copy is taken back"
