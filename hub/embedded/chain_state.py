"""anvil's state file, made safe against kills: anvil writes over it in place, and refuses to start from half of one."""

import json
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


class StateFile:
    """The file at `path`, and beside it a copy of the last state that was whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copy = path.with_suffix(".copy.json")
        self._copied = b""

    def repair(self) -> None:
        """Before anvil starts: put the copy in place of a file that a kill left half written."""
        if not self.path.exists() or _is_whole(self.path.read_bytes()):
            return
        if self._copy.exists():
            log.warning("anvil was killed while it wrote %s; going on from the copy of a moment before", self.path)
            os.replace(self._copy, self.path)
        else:
            log.warning("anvil was killed while it first wrote %s; beginning a new chain", self.path)
            self.path.unlink()

    def copy(self) -> None:
        """Copy a state that is new and whole. Reads all of the file: for a thread."""
        try:
            state = self.path.read_bytes()
        except FileNotFoundError:
            return  # anvil has not written it yet
        if state == self._copied or not _is_whole(state):
            return
        draft = self._copy.with_suffix(".new")
        draft.write_bytes(state)
        os.replace(draft, self._copy)  # there is always a whole one
        self._copied = state


def _is_whole(state: bytes) -> bool:
    try:
        json.loads(state)
    except ValueError:
        return False
    return True
