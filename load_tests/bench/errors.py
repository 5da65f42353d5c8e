"""What keeps a bench from being run."""


class CannotMeasure(Exception):
    """Something is missing, or a server or the load generator failed; the message says what, and what to do."""
