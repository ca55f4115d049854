"""Which of two versions is newer, however their makers count. Pure."""

import re
from dataclasses import dataclass

_CHANNELS = ("stable", "beta", "latest", "dev")
"""Versions that are a word, the newest last."""
_STAGES = {"d": 0, "dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3}
_HEX = re.compile(r"0x([0-9A-Fa-f]{1,64})")
_DOTTED = re.compile(
    r"[vV]?\.?(\d{1,18}(?:\.\d{1,18}){0,9})\.?(?:[-_.]?([A-Za-z]+)[-_.]?(\d{0,18}))?(?:\+[\w.-]{1,80})?"
)


@dataclass(frozen=True, slots=True)
class _Version:
    sections: tuple[int, ...]
    stage: str = ""
    turn: int = 0


def is_newer(latest: str, installed: str) -> bool:
    """Whether `latest` is newer. Where nobody can tell, another version counts as a newer one, as in Home Assistant."""
    if latest == installed:
        return False
    if latest in _CHANNELS:
        return installed not in _CHANNELS or _CHANNELS.index(latest) > _CHANNELS.index(installed)
    if installed in _CHANNELS:
        return False
    new, old = _parsed(latest), _parsed(installed)
    if new is None or old is None:
        return True
    width = max(len(new.sections), len(old.sections))
    new_sections, old_sections = _padded(new, width), _padded(old, width)
    if new_sections != old_sections:
        return new_sections > old_sections
    if not new.stage or not old.stage:
        return bool(old.stage)  # 1.2 is newer than 1.2-rc1
    if new.stage in _STAGES and old.stage in _STAGES:
        return (_STAGES[new.stage], new.turn) > (_STAGES[old.stage], old.turn)
    return (new.stage, new.turn) > (old.stage, old.turn)


def _parsed(text: str) -> _Version | None:
    match = _HEX.fullmatch(text)
    if match:
        return _Version((int(match[1], 16),))
    match = _DOTTED.fullmatch(text)
    if match is None:
        return None
    return _Version(
        tuple(int(section) for section in match[1].split(".")), (match[2] or "").lower(), int(match[3] or 0)
    )


def _padded(version: _Version, width: int) -> tuple[int, ...]:
    return version.sections + (0,) * (width - len(version.sections))
