"""The call client by itself, without a browser: its order, its repeats, and its times. The tests are in web/tests."""

import subprocess

from tests.e2e.conftest import need_npm_packages
from tests.e2e.test_page_build import WEB

TESTS_S = 60


def test_the_rules_of_the_call_client_hold() -> None:
    need_npm_packages(WEB)
    tests = sorted((WEB / "tests").glob("*.test.mjs"))
    assert tests
    command = ["node", "--test", *map(str, tests)]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=TESTS_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# skipped 0" in done.stdout
