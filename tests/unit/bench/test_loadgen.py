"""The load generator's parts without I/O, called from Python: its histogram, its frames, what it takes for what."""

import ctypes
import json
import os
import random
import shutil
import subprocess
from typing import Any

import pytest

from load_tests.bench.cache import COMPILERS, find_compiler
from load_tests.bench.transport.generator import SOURCES

pytestmark = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="needs a C compiler (cc)")

FRAME, INCOMPLETE, UNEXPECTED = range(3)
PLAIN, HUB, HUB_KEPT = range(3)
TEXT = 1


class Frame(ctypes.Structure):
    """``struct ws_frame``."""

    _fields_ = [
        ("opcode", ctypes.c_int),
        ("payload", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Those parts as a shared library."""
    path = tmp_path_factory.mktemp("loadgen") / "parts.so"
    parts = [SOURCES / f"{name}.c" for name in ("histogram", "websocket", "dialect")]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    subprocess.run([find_compiler(), "-std=gnu11", "-shared", "-fPIC", *warnings, "-o", path, *parts], check=True)
    loaded = ctypes.CDLL(str(path))
    loaded.histogram_record.argtypes = [ctypes.c_uint64]
    loaded.histogram_quantile_us.argtypes = [ctypes.c_double]
    loaded.histogram_quantile_us.restype = ctypes.c_uint64
    loaded.ws_write.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
    loaded.ws_write.restype = ctypes.c_size_t
    loaded.ws_parse.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Frame)]
    loaded.is_delivery.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
    loaded.is_delivery.restype = ctypes.c_bool
    loaded.say_broadcast.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint64,
    ]
    loaded.say_broadcast.restype = ctypes.c_size_t
    loaded.is_failure.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    loaded.is_failure.restype = ctypes.c_bool
    loaded.sent_at_ns.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    loaded.sent_at_ns.restype = ctypes.c_uint64
    return loaded


def test_quantiles_are_exact_to_one_percent(library: ctypes.CDLL) -> None:
    draw = random.Random(1)
    latencies_us = sorted(int(10 ** draw.uniform(0, 8)) for _ in range(20_000))
    library.histogram_clear()
    for us in latencies_us:
        library.histogram_record(us * 1000 + 999)
    for share in (0.0, 0.5, 0.9, 0.99, 0.999):
        exact = latencies_us[int(len(latencies_us) * share)]
        assert exact * 0.99 <= library.histogram_quantile_us(share) <= exact, share


def test_an_empty_histogram_has_no_latency(library: ctypes.CDLL) -> None:
    library.histogram_clear()
    assert library.histogram_quantile_us(0.99) == 0


@pytest.mark.parametrize("length", [0, 1, 5, 125, 126, 127, 4000, 65_535])
def test_frames_of_a_client_are_masked_and_whole(library: ctypes.CDLL, length: int) -> None:
    """RFC 6455, section 5.2."""
    payload = os.urandom(length)
    out = ctypes.create_string_buffer(length + 14)
    size = library.ws_write(out, TEXT, payload, length)
    frame = out.raw[:size]
    assert frame[0] == 0x80 | TEXT
    assert frame[1] & 0x80
    short = frame[1] & 0x7F
    header = 2 if short < 126 else 4
    assert (short if short < 126 else int.from_bytes(frame[2:4])) == length
    mask, masked = frame[header : header + 4], frame[header + 4 :]
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked)) == payload


def parse(library: ctypes.CDLL, data: bytes) -> tuple[int, Frame]:
    frame = Frame()
    return library.ws_parse(data, len(data), ctypes.byref(frame)), frame


@pytest.mark.parametrize(
    ("header", "length"),
    [(b"\x81\x05", 5), (b"\x81\x7e\x01\x00", 256), (b"\x81\x7f" + (70_000).to_bytes(8), 70_000)],
)
def test_a_frame_of_a_server_is_read_once_it_is_whole(library: ctypes.CDLL, header: bytes, length: int) -> None:
    whole = header + bytes(length)
    for part in {0, 1, 2, 3, len(header), len(whole) - 1}:
        assert parse(library, whole[:part])[0] == INCOMPLETE, part
    result, frame = parse(library, whole + b"\x81\x00")
    assert (result, frame.opcode, frame.length, frame.size) == (FRAME, TEXT, length, len(whole))


@pytest.mark.parametrize("start", [b"\x01\x00", b"\xc1\x00", b"\x81\x80"], ids=["fragment", "compressed", "masked"])
def test_frames_that_no_measured_server_sends_are_refused(library: ctypes.CDLL, start: bytes) -> None:
    assert parse(library, start)[0] == UNEXPECTED


@pytest.mark.parametrize(
    ("dialect", "packet", "counts"),
    [
        (PLAIN, b'2["m",{"ts":"1"}]', True),
        (HUB, b'2["room:message",{"body":{}}]', True),
        (HUB_KEPT, b'2["room:message",{"body":{}},"1a.2"]', True),
        (HUB, b'2["room:member",{"joined":true}]', False),
        (PLAIN, b'2["message",1]', False),
        (PLAIN, b"2", False),
    ],
)
def test_only_deliveries_are_counted(library: ctypes.CDLL, dialect: int, packet: bytes, counts: bool) -> None:
    assert library.is_delivery(dialect, packet, len(packet)) is counts


def broadcast(library: ctypes.CDLL, dialect: int, sent_ns: int) -> dict[str, Any]:
    """What is sent to a hub: the payload of ``room:send``."""
    out = ctypes.create_string_buffer(8192)
    length = library.say_broadcast(out, dialect, b"room", 7, 3, sent_ns)
    name, payload = json.loads(out.raw[:length].removeprefix(b"42"))
    assert name == "room:send"
    return dict(payload)


def test_what_is_kept_has_an_id_that_no_run_before_has_used(library: ctypes.CDLL) -> None:
    """A hub sends a repeated id to nobody, and rooms stay from one run to the next."""
    first, again = (broadcast(library, HUB_KEPT, sent_ns) for sent_ns in (1, 2))
    assert first["clientId"] != again["clientId"]
    assert "volatile" not in first
    assert broadcast(library, HUB, 1)["volatile"] is True


@pytest.mark.parametrize(
    ("packet", "failed"),
    [
        (b'4{"message":"unauthorized"}', True),
        (b'2["hub:error",{"event":"room:send"}]', True),
        (b'30[{"ok":false,"error":{}}]', True),
        (b'30[{"ok":true,"data":{}}]', False),
        (b"30[]", False),
        (b'2["m",{"ok":false}]', False),
    ],
)
def test_refusals_are_seen(library: ctypes.CDLL, packet: bytes, failed: bool) -> None:
    assert library.is_failure(packet, len(packet)) is failed


def test_a_delivery_says_when_it_was_due(library: ctypes.CDLL) -> None:
    packet = b'2["m",{"ts":"0000012345678901234","seq":1}]'
    assert library.sent_at_ns(packet, len(packet)) == 12_345_678_901_234
    assert library.sent_at_ns(b'2["m",1]', 8) == 0
