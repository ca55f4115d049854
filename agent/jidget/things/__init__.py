"""Things: the devices as seen outside, and the hosts that run their drivers."""
