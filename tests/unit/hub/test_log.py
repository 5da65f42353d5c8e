"""hub.log: a traceback says where, and never what the variables held."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging
import sys
from hub import log

def sign_in(password):
    raise RuntimeError("no such account")

log.configure(level="INFO", style=sys.argv[1], node="n1")
try:
    sign_in("".join(["s3", "cr3t"]))
except RuntimeError:
    logging.getLogger(sys.argv[2]).exception("it failed")
"""


def logged(style: str, logger: str = "hub.test") -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, style, logger], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stderr


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_names_the_place_and_keeps_the_values_out(style: str) -> None:
    text = logged(style)
    assert "it failed" in text
    assert "sign_in" in text
    assert "no such account" in text
    assert "s3cr3t" not in text


def test_json_is_one_line_with_the_node_and_the_logger() -> None:
    (line,) = logged("json").splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["node"]) == ("error", "hub.test", "n1")


def test_a_pool_that_cannot_connect_says_why_in_one_line() -> None:
    (line,) = logged("console", "asyncpg.pool").splitlines()
    assert "it failed: RuntimeError('no such account')" in line
