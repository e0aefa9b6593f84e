"""Proof about the filter, never about pupils: self-test, exposure, indicators, signing, audit."""
