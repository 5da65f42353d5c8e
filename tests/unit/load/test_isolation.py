"""Locust changes the standard library of its process (gevent), so none of that may reach the tests."""

import subprocess
import sys
from pathlib import Path

LOAD_TESTS = Path(__file__).parents[3] / "load_tests"
PATCHED = {"users", "locustfile", "ending"}
"""What needs Locust. No test imports it."""


def test_the_parts_that_tests_import_bring_no_gevent_along() -> None:
    modules = [
        ".".join(("load_tests", *path.relative_to(LOAD_TESTS).with_suffix("").parts))
        for path in LOAD_TESTS.rglob("*.py")
        if path.relative_to(LOAD_TESTS).with_suffix("").parts[0] not in PATCHED | {"bench"}
    ]
    assert "load_tests.client.connection" in modules
    program = f"import sys, {', '.join(modules)}; sys.exit('gevent' in sys.modules or 'locust' in sys.modules)"
    outcome = subprocess.run([sys.executable, "-c", program], cwd=LOAD_TESTS.parent, timeout=60, check=False)
    assert outcome.returncode == 0


def test_the_tests_run_without_locusts_own_pytest_plugin() -> None:
    assert "pytest_locust.plugin" not in sys.modules
    assert "gevent" not in sys.modules
