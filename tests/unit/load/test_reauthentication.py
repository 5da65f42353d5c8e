"""A user's connection goes on past its token, as long as it is there and the hub lets it."""

from concurrent.futures import Future
from typing import Any, cast

from load_tests.client.account import Account
from load_tests.client.reauthentication import go_on
from load_tests.measures.faults import ConnectionLost, Fault, Refused, Unacknowledged

LATER = Refused("unavailable", temporary=True)
NEVER = Refused("suspended")


class Hub:
    """Implements what is used of Account and Connection: answers as it is told, then well."""

    def __init__(self, tokens: list[Fault] | None = None, answers: list[Fault] | None = None) -> None:
        self.tokens, self.answers = tokens or [], answers or []
        self.ended = False
        self.issued = 0
        self.sent: list[Any] = []
        self.samples: list[tuple[str, str, Fault | None]] = []
        self.pauses = 0

    def new_token(self) -> str:
        if self.tokens:
            raise self.tokens.pop(0)
        self.issued += 1
        return f"token{self.issued}"

    def send(self, event: str, payload: object) -> "Future[dict[str, Any]]":
        self.sent.append((event, payload))
        return Future()

    def answer(self, acknowledged: "Future[dict[str, Any]]", within_s: float) -> Any:
        if self.answers:
            raise self.answers.pop(0)

    def sample(self, kind: str, name: str, seconds: float, fault: Fault | None) -> None:
        self.samples.append((kind, name, fault))

    def pause(self) -> None:
        self.pauses += 1

    def run(self) -> "Hub":
        go_on(self, cast("Account", self), 1.0, self.sample, self.pause)
        return self


def test_a_newer_token_is_sent_and_measured() -> None:
    hub = Hub().run()
    assert hub.sent == [("auth:refresh", {"token": "token1"})]
    assert hub.samples == [("ack", "auth:refresh", None)]
    assert hub.pauses == 0


def test_what_the_hub_cannot_do_now_is_tried_again_with_another_token() -> None:
    lost = Unacknowledged(1)
    hub = Hub(tokens=[LATER], answers=[LATER, lost]).run()
    assert [payload for _, payload in hub.sent] == [{"token": f"token{number}"} for number in (1, 2, 3)]
    assert [fault for _, _, fault in hub.samples] == [LATER, lost, None]
    assert hub.pauses == 3


def test_what_the_hub_will_never_do_is_not_asked_again() -> None:
    assert Hub(tokens=[NEVER]).run().samples == []
    assert [fault for _, _, fault in Hub(answers=[NEVER]).run().samples] == [NEVER]


def test_a_connection_that_ends_meanwhile_is_no_failure() -> None:
    assert Hub(answers=[ConnectionLost("closed")]).run().samples == []


def test_nothing_is_done_for_a_connection_that_has_ended() -> None:
    hub = Hub()
    hub.ended = True
    assert hub.run().issued == 0
