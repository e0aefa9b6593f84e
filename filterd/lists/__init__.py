"""Blocklists: catalogue, fetch, formats, gate, compile, the mmapped index, refresher."""
