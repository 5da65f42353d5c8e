"""The version of the hub and of its wire; pyproject.toml reads it from here."""

__version__ = "0.1.0"
