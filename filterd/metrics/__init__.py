"""Counters in shared memory and the collector that shows them. The only user of prometheus_client."""
