"""``python -m load_tests.bench.collab``."""

import sys

from load_tests.bench.collab.command import main

sys.exit(main())
