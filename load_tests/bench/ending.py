"""How a bench ends: its exit code, and servers that end with it."""

import signal
import sys
from collections.abc import Callable

from load_tests.bench.errors import CannotMeasure


def exit_code_of(bench: Callable[[], int]) -> int:
    """What ``bench`` returns; 2 if something cannot be measured, which is printed; 130 if it is interrupted.

    SIGTERM ends it as an exception does, so that the servers it has started are ended too.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return bench()
    except CannotMeasure as error:
        print(f"sparkle-hub bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # interrupted, in the numbers of shells
    finally:
        signal.signal(signal.SIGTERM, before)
