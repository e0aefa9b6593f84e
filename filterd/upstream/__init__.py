"""Upstreams: one module per transport, and the pool that chooses among them."""
