"""Run Home Assistant as it is, but looking names up without mDNS, so that it listens nowhere beyond loopback.

This runs in Home Assistant's own Python, not in ours.
"""

import sys

from aiohttp import ThreadedResolver
from homeassistant.__main__ import main  # type: ignore[import-not-found]  # it is not in our environment
from homeassistant.helpers import aiohttp_client  # type: ignore[import-not-found]  # as above

if not hasattr(aiohttp_client, "_async_make_resolver"):
    sys.exit("this Home Assistant makes its resolver elsewhere")
aiohttp_client._async_make_resolver = lambda _hass: ThreadedResolver()
sys.exit(main())
