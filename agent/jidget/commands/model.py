"""The vocabulary between the faces (chat, forms, IQs) and the commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Face(StrEnum):
    """How a command came in."""

    CHAT = "chat"
    FORM = "form"
    IQ = "iq"
    MQTT = "mqtt"


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    UNCONFIRMED = "unconfirmed"
    REFUSED = "refused"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a command was refused or failed, so that each face can say it in its own way (RFC 6120 8.3.3)."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "item-not-found"
    BAD_VALUE = "bad-request"
    UNAVAILABLE = "recipient-unavailable"
    STALE = "unexpected-request"
    NOT_ACCEPTABLE = "not-acceptable"
    UNSUPPORTED = "feature-not-implemented"
    TIMEOUT = "remote-server-timeout"
    BUSY = "resource-constraint"
    BROKEN = "internal-server-error"


class Refusal(Exception):
    """Raised inside commands to refuse: nothing was moved. The text completes the sentence "Refused: …"."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultField:
    """One value in a result: `name` is THING.PROPERTY, `value` as people read it."""

    name: str
    label: str
    value: str


CONFIRM = "confirm"
"""The name of the form that asks for a code."""
CODE = "code"
"""Its only field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person must answer before a command is carried out.

    Attributes:
        code: the right answer, which names the question, too.
        form: asks for it.
        record: what the journal and the audit keep of it, as they are to hold no code.
    """

    code: str
    form: "Form"
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command answers: one human sentence and the values it speaks of.

    Attributes:
        outcome: how it ended.
        note: what a person is told.
        fields: the values it speaks of.
        reason: why it was refused or failed.
        question: what must be answered first; the command is refused until then, and `note` asks for it in words.
    """

    outcome: Outcome
    note: str
    fields: tuple[ResultField, ...] = ()
    reason: Reason | None = None
    question: Question | None = None

    @property
    def record(self) -> str:
        """Return the note as the journal and the audit keep it."""
        return self.note if self.question is None else self.question.record


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, how, and what makes asking the same thing again recognisable.

    Attributes:
        jid: bare JID of the outer stanza's sender, normalised: what rights hang on; `THE_BROKER` for the broker.
        asker: full JID, for the audit and for sessions.
        face: how it came.
        key: the same for a repetition of the same request, else unique (DESIGN 4.5); None where none can be made.
        age: seconds since it was sent, at most; None when that cannot be known. Only actuating commands care.
    """

    jid: str
    asker: str
    face: Face
    key: str | None
    age: float | None


class FieldKind(StrEnum):
    """Form field types that all clients render (clients.md): names as in XEP-0004 3.3."""

    TEXT = "text-single"
    LINES = "text-multi"
    BOOLEAN = "boolean"
    LIST = "list-single"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field of a form. `value` is the prefilled text (`1`/`0` for booleans); `options` are (value, label)."""

    var: str
    kind: FieldKind
    label: str
    value: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    datatype: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form to fill in before a command runs; programs know it by `name`, by the command's node if it has none."""

    title: str
    instructions: str
    fields: tuple[FormField, ...]
    name: str = ""

    @property
    def shown(self) -> "Values":
        """Return what it shows before anybody changes it: keep it for `Submission.shown`."""
        return {field.var: (field.value,) for field in self.fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """A command as listed: its XEP-0050 node and a name people can read and that sorts well."""

    node: str
    name: str


Values = Mapping[str, tuple[str, ...]]
"""A submitted form: the values of each field by `var`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Which node was executed and with what.

    Attributes:
        node: the XEP-0050 node.
        values: what was submitted; fields that the form has not are ignored.
        shown: `Form.shown` of the form that was filled in, so that only what the person changed is written; None
            where none was shown: then everything that was submitted is.
    """

    node: str
    values: Values = field(default_factory=dict)
    shown: Values | None = None
