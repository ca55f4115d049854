"""Parameters of actions: their types, and plans whose parameters depend on what the device has."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from jidget.mqtt.kinds.colors import HEX_COLOR
from jidget.mqtt.model import Publish

Percent = Annotated[float, Field(ge=0, le=100, description="percent")]
WholePercent = Annotated[int, Field(ge=0, le=100, description="percent")]
Color = Annotated[str, Field(pattern=f"^{HEX_COLOR.pattern}$", description="#rrggbb")]
Kelvin = Annotated[int, Field(ge=500, le=40_000, description="kelvin")]
Seconds = Annotated[float, Field(ge=0, le=6553, description="seconds")]


def with_parameters(
    plan: Callable[..., Sequence[Publish]], types: Mapping[str, Any]
) -> Callable[..., Sequence[Publish]]:
    """Return a plan that takes these parameters by name, all of them optional, and no others."""

    def planned(**wanted: Any) -> Sequence[Publish]:
        return plan(**wanted)

    optional = {name: type_ | None for name, type_ in types.items()}
    planned.__annotations__ = dict(optional)
    planned.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect(3) looks for it
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=type_)
            for name, type_ in optional.items()
        ]
    )
    return planned
