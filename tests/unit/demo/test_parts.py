"""The demo's rules without a hub: the table, the verdict on edits, the address of its own hub."""

import pytest

from hub.demo.document import lost
from hub.demo.own_hub import address_in
from hub.demo.timeline import Timeline


def test_the_timeline_aligns_seconds_and_names_and_counts_only_what_was_seen() -> None:
    lines: list[str] = []
    clock = iter([100.0, 100.42, 112.5])
    timeline = Timeline(lines.append, lambda: next(clock))
    timeline.chapter("Presence")
    timeline.does("ada", "is busy")
    timeline.sees("bob", 'ada busy: "writing"')
    assert lines == ["\nPresence", "   0.42 s  ada   is busy", '  12.50 s  bob   sees ada busy: "writing"']
    assert timeline.observations == 1


def test_an_edit_is_lost_when_it_is_missing_torn_or_there_twice() -> None:
    acknowledged = ["ada-0001 ", "ada-0002 ", "ada-0003 ", "bob-0001 ", "bob-0002 "]
    text = "bob-0001 ada-0001 bob-0003 ada-00bob-0002 02 ada-0001 "
    assert lost(acknowledged, text) == ["ada-0001 ", "ada-0002 ", "ada-0003 ", "bob-0002 "]
    assert lost(acknowledged, "".join(acknowledged)) == []


@pytest.mark.parametrize(
    ("output", "address"),
    [
        ("Sparkle Hub listens on http://127.0.0.1:8080, ready after 5.5 s; Ctrl-C stops it\n", "http://127.0.0.1:8080"),
        ("starting 2 nodes\nSparkle Hub listens on http://[::1]:80 and every other…\n", "http://[::1]:80"),
        ("[info] node 01M8 listens on http://127.0.0.1:37513, alone on http://127.0.0.1:36625\n", None),
        ("node n1 alone: http://127.0.0.1:37703\n", None),
        ("", None),
    ],
)
def test_the_address_is_read_from_the_line_that_says_that_the_whole_hub_is_ready(
    output: str, address: str | None
) -> None:
    assert address_in(output) == address
