"""Proof about the filter, never about pupils: self-test, exposure, indicators, summary, signing, audit chain."""
