"""Templates of discovery payloads: Home Assistant's Jinja2, from strangers, without harm.

Nine of ten are a bare path (`{{ value_json.x }}`): those are looked up here. Jinja2 is imported with the first that
is not (`jidget.mqtt.sandbox`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jidget.mqtt.model import Message, NotJson

LONGEST_TEMPLATE = 8 * 1024
"""Characters; real ones have up to 800."""
LONGEST_RESULT = 256 * 1024
"""Characters, as in Home Assistant."""
MOST_TEMPLATES = 4096
"""How many are kept compiled."""
MOST_STRIKES = 3
"""How often a template may cost too much before it is not rendered any more."""


class TemplateFailed(Exception):
    """A template that cannot be rendered; the text says why.

    Attributes:
        payload_counts: whether Home Assistant goes on with the payload as it came, where a kind has no other rule:
            so it does where something undefined was used. After any other error (`float` of what is no number) it
            takes no notice of the message.
    """

    def __init__(self, reason: str, *, payload_counts: bool = False) -> None:
        super().__init__(reason)
        self.payload_counts = payload_counts


class TooMuch(TemplateFailed):
    """A template that was stopped: it wanted more steps or more memory than it may have."""


class _Compiled(Protocol):
    def __call__(self, variables: Mapping[str, Any], /) -> str:
        """Return the result, stripped; raises `TemplateFailed`."""


class Templates:
    """Compiles templates, once each, and renders them. Not for use by several threads at a time."""

    def __init__(self) -> None:
        """Start with none."""
        self._compiled: dict[str, _Compiled] = {}

    def check(self, template: str) -> None:
        """Compile a template, so that a wrong one is noticed before it is needed.

        Raises:
            TemplateFailed: it is too long, or no template.
        """
        compiled = self._compile(template)
        if isinstance(compiled, _Failing):
            compiled({})

    def render(self, template: str, message: Message | None, /, **variables: Any) -> str:
        """Return what a template makes of a message and the variables, without white space around it.

        With a message, `value` is its payload as text, and `value_json` what that says, if it is JSON. Other
        variables that are used but not given are undefined: they render as nothing.

        Raises:
            TemplateFailed: it cannot be rendered.
        """
        compiled = self._compile(template)
        if message is not None:
            try:
                variables["value"] = message.text
            except UnicodeDecodeError as error:
                raise TemplateFailed(f"the payload is no text: {error}") from None
            if "value_json" in template:
                try:
                    variables["value_json"] = message.json
                except NotJson:
                    variables.pop("value_json", None)
        result = compiled(variables)
        if len(result) > LONGEST_RESULT:
            raise TooMuch(f"a result of {len(result)} characters")
        return result

    def _compile(self, template: str) -> _Compiled:
        compiled = self._compiled.get(template)
        if compiled is None:
            if len(template) > LONGEST_TEMPLATE:
                return _Failing(f"it has {len(template)} characters, {LONGEST_TEMPLATE} are the most")
            compiled = _compile(template)
            if len(self._compiled) >= MOST_TEMPLATES:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[template] = compiled
        return compiled


def _compile(template: str) -> _Compiled:
    text = template.strip()
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return _Plain(text)
    path = _path(text)
    if path is not None:
        return path
    from jidget.mqtt.sandbox import Rendering  # noqa: PLC0415  # brings Jinja2

    try:
        return _Limited(Rendering(text))
    except TemplateFailed as failed:
        return _Failing(str(failed))


class _Limited:
    """Renders with Jinja2, until it has cost too much too often."""

    def __init__(self, rendering: _Compiled) -> None:
        self._rendering = rendering
        self._strikes = 0

    def __call__(self, variables: Mapping[str, Any]) -> str:
        if self._strikes >= MOST_STRIKES:
            raise TooMuch(f"it was stopped {self._strikes} times: it is not rendered any more")
        try:
            return self._rendering(variables)
        except TooMuch:
            self._strikes += 1
            raise


@dataclass(frozen=True, slots=True)
class _Failing:
    """What could not be compiled; tried once only."""

    reason: str

    def __call__(self, _variables: Mapping[str, Any]) -> str:
        raise TemplateFailed(self.reason)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A template without expressions is its own text."""

    text: str

    def __call__(self, _variables: Mapping[str, Any]) -> str:
        return self.text


# ---- bare paths --------------------------------------------------------------------------------------------------

_QUOTED = r"""[^'"\\{}%#\x00-\x1f\x7f-\x9f\u2028\u2029]*"""
_STEP = rf"""\.[A-Za-z_][A-Za-z0-9_]*|\[\s*'{_QUOTED}'\s*\]|\[\s*"{_QUOTED}"\s*\]|\[\s*[0-9]{{1,6}}\s*\]"""
_PATH = re.compile(
    rf"""\{{\{{-?\s*(?:(?P<value>value)|value_json(?P<steps>(?:{_STEP})*))\s*(?P<defined>\|\s*is_defined\s*)?-?\}}\}}""",
    re.ASCII,
)
_STEPS = re.compile(_STEP)
_ATTRIBUTES: Final = frozenset(name for kind in (dict, list, str, int, float, bool, type(None)) for name in dir(kind))
"""Names that may mean a method (`value_json.items`): Jinja2 knows which."""
_UNDEFINED: Final = object()


@dataclass(frozen=True, slots=True)
class _Path:
    """A value, or one inside the JSON, looked up as Jinja2 does."""

    root: str
    steps: tuple[str | int, ...]
    must_be_defined: bool

    def __call__(self, variables: Mapping[str, Any]) -> str:
        found = variables.get(self.root, _UNDEFINED)
        for step in self.steps:
            if found is _UNDEFINED:
                raise TemplateFailed(f"nothing defined has a {step!r}", payload_counts=True)
            try:
                found = found[step]
            except (TypeError, LookupError):
                found = _UNDEFINED
        if found is _UNDEFINED:
            if self.must_be_defined:
                raise TemplateFailed(f"{(self.root, *self.steps)[-1]!r} is undefined", payload_counts=True)
            return ""
        try:
            return str(found).strip()
        except (RecursionError, ValueError) as error:  # nested too deeply; an int of too many digits
            raise TemplateFailed(str(error)) from None


def _path(text: str) -> _Path | None:
    match = _PATH.fullmatch(text)
    if match is None:
        return None
    steps: list[str | int] = []
    for step in _STEPS.findall(match["steps"] or ""):
        name = step[1:] if step.startswith(".") else step[1:-1].strip()
        if name.isdecimal():
            steps.append(int(name))
            continue
        name = name[1:-1] if name[0] in "'\"" else name
        if name in _ATTRIBUTES:
            return None
        steps.append(name)
    root = "value" if match["value"] else "value_json"
    return _Path(root, tuple(steps), must_be_defined=match["defined"] is not None)
