"""``python -m load_tests.bench.presence``."""

import sys

from load_tests.bench.presence.command import main

sys.exit(main())
