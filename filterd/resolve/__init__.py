"""The path of a query: handler, zones, exchanges in flight, cache."""
