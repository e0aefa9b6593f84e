"""Build of the optional native part; everything else stands in pyproject.toml."""

from setuptools import setup

setup()
