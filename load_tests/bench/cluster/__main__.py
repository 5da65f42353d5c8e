"""``python -m load_tests.bench.cluster``."""

import sys

from load_tests.bench.cluster.command import main

sys.exit(main())
