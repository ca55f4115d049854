"""Home Assistant's filters and functions for points in time. Local time is the machine's."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from jidget.mqtt.filters import NONE_GIVEN

_FORMAT = "%Y-%m-%d %H:%M:%S"
LONGEST_FORMAT = 100
"""Characters of a date format."""


def _or_default(name: str, value: Any, default: Any) -> Any:
    if default is NONE_GIVEN:
        raise ValueError(f"{name} got {str(value)[:80]!r}, and no default")
    return default


def _forgiving(name: str, calculate: Callable[[Any], Any]) -> Callable[..., Any]:
    def forgiving(value: Any, default: Any = NONE_GIVEN) -> Any:
        try:
            return calculate(value)
        except (ValueError, TypeError):
            return _or_default(name, value, default)

    return forgiving


def _from_timestamp(value: Any) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def checked_format(form: Any) -> str:
    """Return a date format, if it is one of a reasonable length; raises `ValueError`."""
    if not isinstance(form, str) or len(form) > LONGEST_FORMAT:
        raise ValueError("no date format")
    return form


def _timestamp_custom(value: Any, form: str = _FORMAT, local: bool = True, default: Any = NONE_GIVEN) -> Any:
    try:
        moment = _from_timestamp(value)
        return (moment.astimezone() if local else moment).strftime(checked_format(form))
    except (ValueError, TypeError):
        return _or_default("timestamp_custom", value, default)


def _as_timestamp(value: Any) -> float:
    return (value if isinstance(value, datetime) else datetime.fromisoformat(str(value))).timestamp()


def _as_datetime(value: Any, default: Any = NONE_GIVEN) -> Any:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    try:
        return _from_timestamp(float(value))
    except (ValueError, TypeError):
        try:
            return datetime.fromisoformat(value)
        except (ValueError, TypeError):
            return (
                None if default is NONE_GIVEN and isinstance(value, str) else _or_default("as_datetime", value, default)
            )


def _strptime(value: Any, form: str, default: Any = NONE_GIVEN) -> Any:
    try:
        return datetime.strptime(str(value)[: 10 * LONGEST_FORMAT], checked_format(form))
    except (ValueError, TypeError):
        return _or_default("strptime", value, default)


def _today_at(text: str = "") -> datetime:
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return datetime.combine(midnight, time.fromisoformat(text), midnight.tzinfo) if text else midnight


_BOTH: dict[str, Callable[..., Any]] = {
    "as_datetime": _as_datetime,
    "as_local": lambda value: value.astimezone(),
    "as_timestamp": _forgiving("as_timestamp", _as_timestamp),
}
TIME_FUNCTIONS: dict[str, Any] = {
    **_BOTH,
    "now": lambda: datetime.now().astimezone(),
    "utcnow": lambda: datetime.now(UTC),
    "today_at": _today_at,
    "strptime": _strptime,
    "timedelta": timedelta,
}
TIME_FILTERS: dict[str, Callable[..., Any]] = {
    **_BOTH,
    "timestamp_custom": _timestamp_custom,
    "timestamp_local": _forgiving("timestamp_local", lambda value: _from_timestamp(value).astimezone().isoformat()),
    "timestamp_utc": _forgiving("timestamp_utc", lambda value: _from_timestamp(value).isoformat()),
}
TIME_TESTS: dict[str, Callable[..., bool]] = {"datetime": lambda value: isinstance(value, datetime)}
