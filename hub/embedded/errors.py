"""What goes wrong when the embedded servers are started: one error, whose text is meant for a person."""


class EmbeddedError(Exception):
    """A sentence that says what failed, why, and where possible what to do; shown without a traceback."""
