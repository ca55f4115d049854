"""Readings on their way out: when to report, batches, the publisher."""
