"""``python -m load_tests.bench.transport``."""

import sys

from load_tests.bench.transport.command import main

sys.exit(main())
