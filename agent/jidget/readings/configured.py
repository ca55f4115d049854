"""When a Thing is reported, as the configuration has it. Pure."""

from jidget.config.model import Config
from jidget.config.things import Overlay, ThingConfig, ThingReport
from jidget.readings.policy import ReportPolicy


def policy_of(config: Config, thing: ThingConfig | Overlay | None) -> ReportPolicy:
    """Return a Thing's report policy: its own settings, else those of `[report]`."""
    common, own = config.report, thing.report if thing is not None else ThingReport()
    deadbands = own.deadband if isinstance(own.deadband, dict) else {}
    single = own.deadband if isinstance(own.deadband, int | float) else None
    return ReportPolicy(
        min_interval=common.min_interval if own.min_interval is None else own.min_interval,
        max_interval=common.max_interval if own.max_interval is None else own.max_interval,
        deadband=common.deadband if single is None else single,
        deadbands=deadbands,
    )
