"""Who asks: segments, neighbours, leases. All in RAM."""
