"""``python -m load_tests.bench.calls``."""

import sys

from load_tests.bench.calls.command import main

sys.exit(main())
