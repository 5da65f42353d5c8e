"""Who is refused waits as long as the hub asks, one at a time, and not for ever."""

import threading

import pytest

from load_tests.client.turnstile import PAUSE_S, Turnstile
from load_tests.measures.faults import Refused


class Times:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Door:
    """Refuses so many times before it opens."""

    def __init__(self, *refusals: Refused) -> None:
        self.refusals = list(refusals)
        self.attempts = 0

    def attempt(self) -> str:
        self.attempts += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return "in"


def later(retry_after_s: float | None = None) -> Refused:
    return Refused("rate_limited", temporary=True, retry_after_s=retry_after_s)


def turnstile(times: Times, *, at_once: int = 2, patience_s: float = 60.0) -> Turnstile:
    return Turnstile("Raise the limit.", at_once=at_once, patience_s=patience_s, sleep=times.sleep, clock=times.clock)


def test_each_refusal_is_waited_out_as_asked() -> None:
    times, door = Times(), Door(later(1.5), later(4.0), later())
    assert turnstile(times).through(door.attempt) == "in"
    assert times.slept == [1.5, 4.0, PAUSE_S]
    assert door.attempts == 4


def test_a_refusal_for_good_is_not_repeated() -> None:
    times, door = Times(), Door(Refused("suspended"))
    with pytest.raises(Refused, match="suspended"):
        turnstile(times).through(door.attempt)
    assert times.slept == []
    assert door.attempts == 1


def test_a_wait_beyond_the_patience_is_not_begun() -> None:
    times, door = Times(), Door(later(4.0), later(4.0), later(4.0))
    with pytest.raises(Refused, match="rate_limited"):
        turnstile(times, patience_s=10.0).through(door.attempt)
    assert times.now_s == 8.0


def test_the_advice_is_given_once_and_only_if_the_hub_asked_to_wait(caplog: pytest.LogCaptureFixture) -> None:
    entrance = turnstile(Times())
    entrance.through(Door(later()).attempt)
    assert caplog.text == ""
    entrance.through(Door(later(2.0), later(2.0)).attempt)
    entrance.through(Door(later(2.0)).attempt)
    assert caplog.text.count("waiting 2.0 s as the hub asks. Raise the limit.") == 1


def test_while_one_waits_the_next_do_not_try() -> None:
    waiting, goes_on = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        if seconds:
            waiting.set()
            assert goes_on.wait(10)

    entrance = Turnstile("", at_once=2, patience_s=60.0, sleep=sleep)
    first, second = Door(later(1.0)), Door()
    threads = [threading.Thread(target=entrance.through, args=(door.attempt,)) for door in (first, second)]
    threads[0].start()
    assert waiting.wait(10)
    threads[1].start()
    threads[1].join(0.1)  # time to do what it must not
    assert second.attempts == 0
    goes_on.set()
    for thread in threads:
        thread.join(10)
    assert (first.attempts, second.attempts) == (2, 1)
