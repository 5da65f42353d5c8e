"""Why a start ends: a sentence for the person at the terminal and the exit code for the shell."""


class StartError(Exception):
    """Shown without a traceback; the process exits with `exit_code`."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
