"""Fuzzes what reads and applies Yjs updates: ``python -m load_tests.fuzz_collab --inputs 1000000 --seed 7``.

Each target gets so many inputs, the same ones for the same seed. One that breaks a promise is printed, and the exit
code is 1; one that crashes Yrs ends the process.
"""

import sys
from collections.abc import Sequence

from hub.kernel.stack import deepen_stack
from load_tests.fuzz.collab_targets import targets
from load_tests.fuzz.run import fuzz_all


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz what the options say. Returns the exit code."""
    deepen_stack()  # as a node does
    return fuzz_all("python -m load_tests.fuzz_collab", __doc__ or "", targets(), argv)


if __name__ == "__main__":
    sys.exit(main())
