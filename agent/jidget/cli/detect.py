"""`jidget drivers --detect`: looks at the machine and writes what it finds as blocks for the configuration.

All of the output is TOML: what is no block is a comment, so that it can be appended to a file as it is.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jidget.cli.terminal import Painter, Progress, wrap
from jidget.config.loader import find
from jidget.config.syntax import parse_toml
from jidget.config.values import COMMAND_WORDS, slug
from jidget.errors import ConfigError, Exit
from jidget_drivers.detected import Found, Remark
from jidget_drivers.detection import detect

ALL_BUSES = -1
"""What `--i2c` without a number stands for."""

_LONGEST_ID = 63
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One Thing that could be: what was found, under an id that is free; or which Thing has it already."""

    id: str
    found: Found
    used_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """The Things of a configuration, as they are written there; no file if there is none."""

    file: Path | None = None
    things: Mapping[str, Mapping[str, Any]]
    trouble: str = ""


def run(args: argparse.Namespace) -> int:
    """Look, print what was found, return the exit code: 1 where what was asked for could not be looked at."""
    existing = _existing(args.config)
    progress = Progress(sys.stderr)
    wanted = None if args.i2c is None else [] if args.i2c == ALL_BUSES else [args.i2c]
    try:
        findings = detect(args.sysfs.absolute(), i2c=wanted, tell=progress.show)
    finally:
        progress.clear()
    blocks = to_blocks([one for one in findings if isinstance(one, Found)], existing.things)
    remarks = [one for one in findings if isinstance(one, Remark)]
    if existing.trouble:
        remarks.append(Remark(family="config", text=existing.trouble, obstacle=True))
    if args.json:
        print(json.dumps(_as_json(blocks, remarks), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(blocks, remarks, existing, Painter(sys.stdout))))
    asked_in_vain = args.i2c is not None and any(one.obstacle and one.family == "i2c" for one in remarks)
    return Exit.FAILED if asked_in_vain else Exit.OK


def to_blocks(findings: Iterable[Found], things: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """Return a block for each finding, with an id that neither a Thing of `things` nor another block has."""
    taken = {*things, *COMMAND_WORDS}
    blocks: list[Block] = []
    for found in findings:
        user = next((thing_id for thing_id, thing in things.items() if _uses(thing, found)), "")
        free = user or _free_id(slug(found.name), taken)
        taken.add(free)
        blocks.append(Block(id=free, found=found, used_by=user))
    return blocks


def _uses(thing: Mapping[str, Any], found: Found) -> bool:
    options = thing.get("options", {})
    return isinstance(options, Mapping) and found.is_used_by(str(thing.get("driver")), options)


def _free_id(wish: str, taken: set[str]) -> str:
    for number in range(1, len(taken) + 2):
        ending = f"_{number}" if number > 1 else ""
        candidate = f"{wish[: _LONGEST_ID - len(ending)]}{ending}"
        if candidate not in taken:
            return candidate
    raise AssertionError("one of n + 1 ids is not among n")


def _existing(path: Path | None) -> Existing:
    """Return the Things of the configuration that is named, or else of the one that the agent would use.

    Raises:
        ConfigError: the one that was named cannot be read. Any other is only a reason for a remark.
    """
    try:
        file = find(path, os.environ).absolute()
    except ConfigError:
        return Existing(things={})
    try:
        tables = parse_toml(_content(file), file).get("things", {})
    except ConfigError as error:
        if path is not None:
            raise
        return Existing(things={}, trouble=f"What is in use already was not looked up: {error}")
    things = tables if isinstance(tables, Mapping) else {}
    return Existing(file=file, things={name: table for name, table in things.items() if isinstance(table, Mapping)})


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}. Check the path and its owner") from None


def _lines(blocks: list[Block], remarks: list[Remark], existing: Existing, painter: Painter) -> Iterator[str]:
    yield _comment("What was found here, as blocks for jidget.toml. `jidget check --offline` checks them there, and "
                   "`jidget read` reads the hardware. Blocks behind # are guesses: take the # away where one is right.",
                   painter)  # fmt: skip
    for block in blocks:
        if not block.used_by:
            yield ""
            yield from _block(block, painter)
    used = [block for block in blocks if block.used_by]
    if used:
        yield ""
        yield _comment(f"In use already, in {existing.file}:", painter)
        for block in used:
            yield _comment(f"things.{block.used_by}: {block.found.what}", painter, "#   ")
    if remarks:
        yield ""
        yield _comment("Besides:", painter)
    for remark in remarks:
        text = wrap(f"{remark.family}: {remark.text}", "#   ")
        yield painter.warn(text) if remark.obstacle else painter.dim(text)


def _block(block: Block, painter: Painter) -> Iterator[str]:
    found = block.found
    shows = f": {', '.join(found.properties)}" if found.properties else ""
    yield _comment(f"{found.what}{shows}", painter)
    if found.note:
        yield _comment(found.note, painter)
    mark = "" if found.sure else "#"
    yield f"{mark}{painter.bold(f'[things.{block.id}]')}"
    choice = f"  # or {', '.join(found.others)}" if found.others and not found.sure else ""
    yield f"{mark}driver = {painter.value(to_toml(found.driver))}{painter.dim(choice)}"
    if found.timeout is not None:
        yield f"{mark}timeout = {painter.value(to_toml(f'{found.timeout:g}s'))}"
    if found.options:
        yield mark
        yield f"{mark}{painter.bold(f'[things.{block.id}.options]')}"
        for key, value in found.options.items():
            shown = f"{value:#04x}" if key == "address" else to_toml(value)
            yield f"{mark}{key} = {painter.value(shown)}"


def _comment(text: str, painter: Painter, indent: str = "# ") -> str:
    return painter.dim(wrap(text, indent))


def to_toml(value: object) -> str:
    """Write a value as TOML, tables and lists in one line (TOML 1.0, "String", "Inline Table")."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            quoted = json.dumps(value, ensure_ascii=False)
            return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
        case Mapping():
            pairs = (f"{k if _BARE_KEY.fullmatch(k) else to_toml(k)} = {to_toml(v)}" for k, v in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case list() | tuple():
            return f"[{', '.join(to_toml(item) for item in value)}]"
    return str(value)


def _as_json(blocks: list[Block], remarks: list[Remark]) -> dict[str, Any]:
    found = [{"id": block.id, "used_by": block.used_by or None, **asdict(block.found)} for block in blocks]
    return {"found": found, "remarks": [asdict(remark) for remark in remarks]}
