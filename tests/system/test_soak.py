"""A short soak: every kind of fault, one after the other, on an agent that is read and commanded all the time."""

from collections.abc import Callable
from pathlib import Path

from tests.support.soak.faults import FAULTS
from tests.support.soak.run import soak

from jidget.demo.prosody import Prosody

COUNT = 26
SEED = 20261121
LIVENESS = 2.0
NOTICE = 2 * (2 * LIVENESS)
"""Seconds: twice the liveness, with as much again for a busy machine."""
RECOVERY = 2 * 5.0
"""Seconds: as promised, with as much again."""


async def test_whatever_happens_nothing_is_lost_no_command_runs_twice_or_late_and_no_output_stays_on(
    fresh_prosody: Callable[..., Prosody], tmp_path: Path
) -> None:
    told: list[str] = []
    root = tmp_path / "soak"
    root.mkdir()
    kinds = list(FAULTS.values())
    result = await soak(root, fresh_prosody(), kinds, faults=COUNT, seed=SEED, liveness=LIVENESS, tell=told.append)
    found = "\n".join((result.table(), *told, f"logs in {root}"))
    assert result.good, found
    assert {episode.kind for episode in result.episodes} >= FAULTS.keys() - {"disk"}, found
    assert result.made > 1000, found
    assert result.executed > 50, found
    assert result.switched > 10, found
    assert result.expired > 5, found
    assert result.mistaken <= 1, found  # on a busy machine a slow link may look dead once
    assert max(episode.noticed or 0.0 for episode in result.episodes) <= NOTICE, found
    assert max(episode.recovered or 0.0 for episode in result.episodes) <= RECOVERY, found
