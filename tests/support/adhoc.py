"""Ad-hoc commands as a client sees them: what it sends, and what it reads in the answers."""

from xml.etree import ElementTree as ET

COMMANDS = "{http://jabber.org/protocol/commands}"
DATA = "{jabber:x:data}"
NODE = COMMANDS.strip("{}")
"""Where commands are listed."""


def command(node: str, inner: str = "", *, sessionid: str | None = None, action: str | None = None) -> str:
    """Return a `<command/>` as a client sends it."""
    attributes = {"sessionid": sessionid, "action": action}
    written = "".join(f" {name}='{value}'" for name, value in attributes.items() if value is not None)
    return f"<command xmlns='{NODE}' node='{node}'{written}>{inner}</command>"


def form(**values: str) -> str:
    fields = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in values.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{fields}</x>"


def note(command: ET.Element) -> tuple[str, str]:
    """Return the type and text of a command's only note; nothing where it has none."""
    notes = command.findall(f"{COMMANDS}note")
    assert len(notes) <= 1
    return (notes[0].get("type", ""), notes[0].text or "") if notes else ("", "")


def results(command: ET.Element) -> dict[str, str]:
    x = command.find(f"{DATA}x")
    assert x is not None
    assert x.get("type") == "result"
    return {f.get("var", ""): f.findtext(f"{DATA}value", "") for f in x.iterfind(f"{DATA}field") if f.get("var")}


def outcome(command: ET.Element) -> str:
    assert command.get("status") == "completed"
    return results(command)["outcome"]


def instructions(command: ET.Element) -> list[str]:
    return [found.text or "" for found in command.iterfind(f"{DATA}x/{DATA}instructions")]


def shown(command: ET.Element, var: str) -> str:
    (found,) = (f for f in command.iterfind(f"{DATA}x/{DATA}field") if f.get("var") == var)
    return found.findtext(f"{DATA}value", "")


def session(command: ET.Element) -> str:
    assert command.get("status") == "executing"
    return command.get("sessionid", "")
