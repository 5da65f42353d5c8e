"""What does not arrive is reported while the test runs."""

import time

from load_tests.measures.faults import Undelivered
from load_tests.measures.report import Report
from load_tests.world import Settings, World
from tests.support.wait import until_sync


def test_a_missing_delivery_becomes_one_failure_of_its_event_and_one_that_came_none() -> None:
    fired: list[dict[str, object]] = []
    world = World(Settings(within_s=0.05), Report(lambda **event: fired.append(event)))
    world.start()
    try:
        for key in ("lost", "came", "lost too"):
            now_s = time.monotonic()
            world.deliveries.expect(key, f"event {key}", [1], due_s=now_s, now_s=now_s)
        assert world.deliveries.received("came", 1) is not None
        until_sync(lambda: len(fired) == 2)
    finally:
        world.stop()
    assert [(event["request_type"], event["name"]) for event in fired] == [
        ("delivery", "event lost"),
        ("delivery", "event lost too"),
    ]
    assert all(isinstance(event["exception"], Undelivered) for event in fired)
    assert all(event["response_time"] == 50 for event in fired)


def test_users_wait_longer_than_it_takes_to_notice_what_is_missing() -> None:
    fired: list[object] = []
    world = World(Settings(within_s=0.05), Report(lambda **event: fired.append(event)))
    sent_s = time.monotonic()
    world.deliveries.expect("lost", "e", [1], due_s=sent_s, now_s=sent_s)
    world.start()
    try:
        until_sync(lambda: fired)
        assert time.monotonic() - sent_s < world.noticed_s + 1  # a loaded machine wakes threads late
        assert world.noticed_s > world.settings.within_s + 0.1
    finally:
        world.stop()
