"""A node survives the deepest nesting of shared types that a hostile editor can build and delete."""

import subprocess
import sys

PROGRAM = """
import sys
from collab.state_vector import EMPTY  # the packages a node has
from hub.kernel.stack import deepen_stack
from pycrdt import Doc

def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])

if sys.argv[2] == "deep":
    deepen_stack()
levels = int(sys.argv[1])
structs = [b"\\1" + number(levels) + b"\\7\\0", bytes([7, 1, 1]) + b"t" + b"\\0"]
structs += [bytes([7, 0, 7]) + number(level - 1) + b"\\0" for level in range(1, levels)]
doc = Doc()
doc.apply_update(b"".join(structs) + b"\\0")
doc.apply_update(b"\\0\\1\\7\\1\\0\\1")
print("alive")
"""


def delete_nested(levels: int, stack: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(levels), stack]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_node_survives_a_hundred_thousand_levels() -> None:
    assert delete_nested(100_000, "deep").stdout == "alive\n"


def test_without_the_deeper_stack_it_would_not() -> None:
    assert delete_nested(100_000, "usual").returncode < 0
