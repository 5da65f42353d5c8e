"""Fuzzes the transport's decoders: ``python -m load_tests.fuzz_transport --inputs 1000000 --seed 7``.

Each gets so many inputs, the same ones for the same seed. One that breaks a promise is printed, and the exit code is 1.
"""

import sys
from collections.abc import Sequence

from load_tests.fuzz.run import fuzz_all
from load_tests.fuzz.targets import TARGETS


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz what the options say. Returns the exit code."""
    return fuzz_all("python -m load_tests.fuzz_transport", __doc__ or "", TARGETS, argv)


if __name__ == "__main__":
    sys.exit(main())
