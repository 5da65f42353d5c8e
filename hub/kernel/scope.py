"""What the code that runs now is handling, for the lines that it logs."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar

SCOPE: ContextVar[Callable[[], Mapping[str, str]] | None] = ContextVar("SCOPE", default=None)
"""Gives the fields of a log line. A function, because most events log nothing, and making the fields, and binding them
one by one, costs more than handling the smallest of them."""
