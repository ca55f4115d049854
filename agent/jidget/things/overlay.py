"""The Thing of a discovered device, with what the configuration says of it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jidget.config.model import Config
from jidget.things.calibration import Calibration
from jidget.things.host import Thing
from jidget.things.rulebook import BadRules, rule
from jidget.things.running import ThingSettings
from jidget_drivers import EventSource

log = logging.getLogger(__name__)


def overlaid(
    config: Config,
    thing_id: str,
    driver: EventSource[Any],
    things: Mapping[str, Thing],
    *,
    label: str,
    area: str,
    quiet: frozenset[str],
    on_problem: Callable[[str], None] = lambda _: None,
) -> Thing:
    """Return the Thing of a device; rules of the configuration that do not fit it are logged and left out.

    Args:
        config: the whole configuration.
        thing_id: its id; that of the overlay, if there is one.
        driver: the device.
        things: the others that the configuration has rules for, as far as they are there.
        label: what its publisher calls it.
        area: where it is.
        quiet: properties that are left out where everything is shown.
        on_problem: told of every rule that is left out.
    """
    overlay = config.overlays.get(thing_id)
    settings = ThingSettings(
        thing_id=thing_id,
        label=(overlay.label if overlay else "") or label,
        aliases=overlay.aliases if overlay else (),
        timeout=overlay.timeout if overlay else 5.0,
        calibrations={
            name: Calibration(offset=p.offset, scale=p.scale, precision=p.precision, label=p.label)
            for name, p in (overlay.properties if overlay else {}).items()
        },
        property_aliases={
            alias.casefold(): name for name, p in (overlay.properties if overlay else {}).items() for alias in p.aliases
        },
        discovered=overlay is None and (config.mqtt is None or thing_id not in config.mqtt.topics),
        forgettable=True,
        area=area,
        quiet=quiet,
    )
    thing = Thing(settings, driver)
    try:
        rule(config, thing, things)
    except BadRules as error:
        for problem in error.problems:
            log.error("%s (left out)", problem.say(config.file))
            on_problem(problem.text)
        unfit = error.problems[0].text
        for name, held in thing.rules.items():  # without its rules it is not set: whoever wrote them wanted them
            thing.rules[name] = replace(held, unfit=unfit)
    return thing
