"""Prewired: a template that is a real service, and the command line that renders it."""

from importlib.metadata import version

__version__ = version("prewired")
