"""What no single key shows: keys that contradict each other, names that could mean two Things, doubtful grants."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from jidget.config import broker
from jidget.config.model import Config, Role
from jidget.config.notation import show_value
from jidget.config.problems import Problem
from jidget.config.topics import identifier
from jidget.config.values import BROKER, COMMAND_WORDS, DISCOVERED, parse_jid
from jidget.durations import parse_duration
from jidget.spelling import did_you_mean

Toml = Mapping[str, Any]


def contradictions(valid: Toml) -> list[Problem]:
    """Return what contradicts itself in the parts of a file that are right one by one."""
    found = (_in_xmpp, _in_access, _in_reports, _in_names, _in_mqtt, _in_overlays)
    return [problem for look in found for problem in look(valid)]


def doubts(config: Config) -> list[Problem]:
    """Return what is allowed but hardly meant."""
    return [*_doubtful_grants(config), *_emptiness(config), *(broker.doubts(config.mqtt) if config.mqtt else ())]


# ---- contradictions ------------------------------------------------------------------------------------------------


def _in_xmpp(valid: Toml) -> Iterator[Problem]:
    xmpp = valid.get("xmpp", {})
    if "port" in xmpp and "host" not in xmpp:
        yield Problem(
            key=("xmpp", "port"),
            value=show_value(xmpp["port"]),
            text="a port without a host. Write the server's name in xmpp.host, or remove the port and let DNS decide",
        )
    if xmpp.get("account") == "agents" and "jid" in xmpp:
        resource = parse_jid(xmpp["jid"])[2] or "agent"
        meant = None
        if len(resource.split()) != 1:
            meant = "has a blank in it"
        elif resource.casefold() in COMMAND_WORDS:
            meant = "is a command word"
        elif resource.casefold() in valid.get("things", {}):
            meant = "is also the id of a Thing"
        if meant:
            yield Problem(
                key=("xmpp", "jid"),
                value=show_value(xmpp["jid"]),
                text=f'with account = "agents" chat begins with the resource, and "{resource}" {meant}. '
                "Give the JID another resource: NAME@SERVER/barn",
            )


def _in_access(valid: Toml) -> Iterator[Problem]:
    own = "/".join(parse_jid(valid["xmpp"]["jid"])[:2]) if "jid" in valid.get("xmpp", {}) else ""
    things = valid.get("things", {})
    seen: dict[str, str] = {}
    for written, grant in valid.get("access", {}).items():
        bare = "/".join(parse_jid(written)[:2])
        table = {"role": grant} if isinstance(grant, str) else grant
        if bare in seen:
            yield Problem(
                key=("access", written),
                value=show_value(grant),
                text=f'the same JID as "{seen[bare]}". Remove one of the two',
            )
        seen[bare] = written
        if bare == f"/{BROKER}":
            yield from _for_the_broker(written, grant, table, valid.get("mqtt", {}))
        if bare == own and table.get("role", Role.OWNER) != Role.OWNER:
            yield Problem(
                key=("access", written),
                value=show_value(grant),
                text="this is the agent's own account, which is always owner. Remove the line",
            )
        if "read" in table:
            acts = table.get("things", ("*",) if table.get("role") == Role.OPERATOR else ())
            hidden = [thing for thing in things if _matches(thing, acts) and not _matches(thing, table["read"])]
            if hidden:
                yield Problem(
                    key=("access", written, "read"),
                    value=show_value(table["read"]),
                    text=f"they may act on {', '.join(hidden)} but not see it. "
                    "Add it to read, or write things without it",
                )


def _for_the_broker(written: str, grant: object, table: Toml, mqtt: Toml) -> Iterator[Problem]:
    key, value = ("access", written), show_value(grant)
    if not mqtt.get("announce"):
        text = "the rights of the MQTT broker, to which nothing is announced. Write announce = true in [mqtt]"
        yield Problem(key=key, value=value, text=text)
    if table.get("role") == Role.OWNER:
        text = 'who may write to the MQTT broker is nobody in particular. Write { role = "operator", things = ["…"] }'
        yield Problem(key=key, value=value, text=text)
    for name in ("things", "read"):
        if any(pattern.startswith(DISCOVERED) for pattern in table.get(name, ())):
            text = "what is on the broker is not announced to it again. Name Things that have a driver"
            yield Problem(key=(*key, name), value=show_value(table[name]), text=text)


def _in_reports(valid: Toml) -> Iterator[Problem]:
    defaults = valid.get("report", {})
    reports: list[tuple[tuple[str, ...], Toml]] = [(("report",), defaults)]
    reports += [
        (("things", name, "report"), thing.get("report", {})) for name, thing in valid.get("things", {}).items()
    ]
    for key, report in reports:
        if not {"min_interval", "max_interval"} & report.keys():
            continue
        least = report.get("min_interval", defaults.get("min_interval", "0s"))
        most = report.get("max_interval", defaults.get("max_interval", "5m"))
        if parse_duration(least) > parse_duration(most):
            name = "max_interval" if "max_interval" in report else "min_interval"
            yield Problem(
                key=(*key, name),
                value=show_value(report[name]),
                text=f'min_interval is "{least}" and max_interval "{most}": no report could be on time. '
                "Make max_interval the longer one",
            )


def _in_overlays(valid: Toml) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for thing_id, thing in valid.get("things", {}).items():
        if "match" not in thing or "driver" in thing:
            continue
        wanted, key = thing["match"], ("things", thing_id, "match")
        if "mqtt" not in valid:
            text = "a device of the broker, but there is no broker. Write the table [mqtt]"
            yield Problem(key=key, value=show_value(wanted), text=text)
        elif wanted in taken:
            text = f"[things.{taken[wanted]}] is this device too. Remove one of the two"
            yield Problem(key=key, value=show_value(wanted), text=text)
        taken.setdefault(wanted, thing_id)


def _in_names(valid: Toml) -> Iterator[Problem]:
    things = valid.get("things", {})
    taken: dict[str, list[str]] = defaultdict(list)
    for thing_id in things:
        taken[thing_id].append(thing_id)
    for thing_id, thing in things.items():
        places: list[tuple[tuple[str | int, ...], str]] = []
        if thing.get("label"):
            places.append((("label",), thing["label"]))
        places += [(("aliases", i), alias) for i, alias in enumerate(thing.get("aliases", ()))]
        for place, name in places:
            folded = name.strip().casefold()
            others = [other for other in taken[folded] if other != thing_id]
            if others:
                yield Problem(
                    key=("things", thing_id, *place),
                    value=show_value(name),
                    text=f'[things.{others[0]}] is called "{name.strip()}" too, so nobody could tell which is meant. '
                    "Choose another name",
                )
            taken[folded].append(thing_id)
        yield from _in_property_names(thing_id, thing.get("properties", {}))


def _in_property_names(thing_id: str, properties: Toml) -> Iterator[Problem]:
    taken = {name: name for name in properties}
    for name, settings in properties.items():
        for index, alias in enumerate(settings.get("aliases", ())):
            owner = taken.setdefault(alias.strip().casefold(), name)
            if owner != name:
                yield Problem(
                    key=("things", thing_id, "properties", name, "aliases", index),
                    value=show_value(alias),
                    text=f"the property {owner} is called that too. Choose another name",
                )


def _in_mqtt(valid: Toml) -> Iterator[Problem]:
    mqtt = valid.get("mqtt", {})
    needs = (
        ("password_file", "username", "a password without a user. Write username, or remove the password"),
        ("key_file", "cert_file", "a private key without a certificate. Write cert_file, or remove the key"),
        ("ca_file", "tls", "there is nothing to verify without TLS. Write tls = true"),
        ("cert_file", "tls", "nobody would ask for it without TLS. Write tls = true"),
    )
    for name, needed, text in needs:
        if name in mqtt and not mqtt.get(needed):
            yield Problem(key=("mqtt", name), value=show_value(mqtt[name]), text=text)
    for thing_id in mqtt.get("topics", {}):
        thing = valid.get("things", {}).get(thing_id, {"match": identifier(thing_id)})
        if "driver" in thing or thing.get("match") != identifier(thing_id):
            text = f"[things.{thing_id}] is another Thing of this id. Choose another id for one of the two"
            yield Problem(key=("mqtt", "topics", thing_id), text=text)


# ---- doubts --------------------------------------------------------------------------------------------------------


def _doubtful_grants(config: Config) -> Iterator[Problem]:
    known = (*config.things, *config.overlays, *(config.mqtt.topics if config.mqtt else ()))
    own_domain = config.xmpp.jid.partition("@")[2]
    for jid, grant in config.access.items():
        server = "@" not in jid and jid != BROKER
        if server and (grant.role is not Role.VIEWER or ("." not in jid and jid != own_domain)):
            yield Problem(
                key=("access", jid),
                value=f'"{grant.role}"',
                text=f'this is everybody at the server "{jid}". For one person write "NAME@{jid}"',
            )
        for name, patterns in (("things", grant.things), ("read", grant.read or ())):
            for pattern in patterns:
                if pattern.startswith(DISCOVERED) and config.mqtt is not None:
                    continue
                if pattern != "*" and not any(fnmatchcase(thing, pattern) for thing in known):
                    remedy = did_you_mean(pattern, known) or " Add the Thing, or remove the name"
                    yield Problem(
                        key=("access", jid, name), value=show_value(pattern), text=f"there is no such Thing.{remedy}"
                    )


def _emptiness(config: Config) -> Iterator[Problem]:
    if not config.things and config.mqtt is None:
        yield Problem(key=("things",), text="there are none, so there is nothing to read. Write a [things.NAME]")
    if not config.access:
        yield Problem(
            key=("access",),
            text='nobody but the account itself may see anything. Write [access] and "NAME@SERVER" = "owner"',
        )


def _matches(thing: str, patterns: Any) -> bool:
    return any(fnmatchcase(thing, pattern) for pattern in patterns)
