"""Counters in shared memory and their collector; the only user of prometheus_client."""
