"""Lines into values, for each format that `serial-line` knows. Pure."""

import re
from collections.abc import Callable, Iterator

from jidget_drivers.json_values import NotThere, look_up, parse_json
from jidget_drivers.properties import Property, Scalar
from jidget_drivers.serial_line_nmea import Sentence, degrees, parse_sentence
from jidget_drivers.serial_line_options import LineFormat, LineProperty, SerialLineOptions
from jidget_drivers.text_values import Nonsense, read_value
from jidget_drivers.units import Unit

LineReader = Callable[[str], dict[str, Scalar]]
"""Returns the values of a line, none if it is no line for us; raises `Nonsense` for one that is wrong."""

_Source = tuple[LineProperty, Property]


def make_reader(options: SerialLineOptions) -> LineReader:
    """Return what reads the lines that the options describe."""
    sources = [(spec, spec.declared(name)) for name, spec in options.properties.items()]
    match options.format:
        case LineFormat.REGEX:
            return _regex_reader(options.patterns, sources)
        case LineFormat.JSON:
            return _json_reader(sources)
        case LineFormat.NMEA:
            return _nmea_reader(sources)


def _regex_reader(patterns: tuple[str, ...], sources: list[_Source]) -> LineReader:
    by_group: dict[str, list[_Source]] = {}
    for spec, prop in sources:
        by_group.setdefault(spec.group or prop.name, []).append((spec, prop))
    compiled = [re.compile(pattern) for pattern in patterns]

    def read(line: str) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        for pattern in compiled:
            found = pattern.search(line)
            for group, text in (found.groupdict() if found else {}).items():
                if text is not None:
                    values |= {p.name: read_value(p, text, spec.words) for spec, p in by_group.get(group, ())}
        return values

    return read


def _json_reader(sources: list[_Source]) -> LineReader:
    paths = [(spec, prop, (spec.key or prop.name).split(".")) for spec, prop in sources]

    def read(line: str) -> dict[str, Scalar]:
        text = line.strip()
        if not text.startswith(("{", "[")):
            return {}
        try:
            document = parse_json(text)
        except ValueError as error:
            raise Nonsense(f"broken JSON: {error}") from None
        found = ((spec, prop, _find(document, path)) for spec, prop, path in paths)
        return {prop.name: read_value(prop, raw, spec.words) for spec, prop, raw in found if raw is not None}

    return read


def _find(document: object, path: list[str]) -> object:
    """Return what is at `path`; None if nothing is."""
    try:
        return look_up(document, path)
    except NotThere:
        return None


def _nmea_reader(sources: list[_Source]) -> LineReader:
    def read(line: str) -> dict[str, Scalar]:
        sentence = parse_sentence(line)
        if sentence is None:
            return {}
        return dict(_nmea_values(sentence, sources))

    return read


def _nmea_values(sentence: Sentence, sources: list[_Source]) -> Iterator[tuple[str, Scalar]]:
    for spec, prop in sources:
        if spec.sentence is None or spec.field is None or not sentence.is_of(spec.sentence):
            continue
        text = sentence.field(spec.field)
        if not text:  # the device does not know it now
            continue
        if prop.unit in (Unit.LATITUDE, Unit.LONGITUDE):
            value: Scalar = degrees(text, sentence.field(spec.field + 1), prop.unit)
        else:
            value = read_value(prop, text, spec.words)
        yield prop.name, value
