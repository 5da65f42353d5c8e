"""hub.kernel.events: one router, one event one handler."""

import pytest

from hub.kernel.errors import CATALOGUE, HubError, InvalidPayload, UnknownEvent
from hub.kernel.events import Caller, EventRouter, merge
from hub.kernel.ids import ConnectionId, SessionId, UserId
from hub.kernel.wire import Wire

ADA = Caller(UserId("ada"), SessionId("s1"), ConnectionId("c1"))


class Greet(Wire):
    name: str


class Greeting(Wire):
    text: str
    said_by: str


async def greet(caller: Caller, payload: Greet) -> Greeting:
    return Greeting(text=f"hello {payload.name}", said_by=caller.user_id)


def router() -> EventRouter:
    made = EventRouter()
    made.on("greet", Greet, greet, bare="name")
    return made


async def test_the_answer_is_plain_and_camel_case() -> None:
    assert await router().dispatch("greet", ADA, {"name": "Bob"}) == {"text": "hello Bob", "saidBy": "ada"}


async def test_a_bare_string_fills_the_named_field() -> None:
    assert (await router().dispatch("greet", ADA, "Bob"))["text"] == "hello Bob"


async def test_a_plain_function_serves_an_event_as_well() -> None:
    made = EventRouter()
    made.on("greet", Greet, lambda caller, payload: Greeting(text=payload.name, said_by=caller.user_id))
    assert await made.dispatch("greet", ADA, {"name": "Bob"}) == {"text": "Bob", "saidBy": "ada"}


async def test_an_event_nobody_serves_is_unknown() -> None:
    with pytest.raises(UnknownEvent):
        await router().dispatch("connect", ADA, {})


async def test_a_payload_that_does_not_fit_never_reaches_the_handler() -> None:
    with pytest.raises(InvalidPayload):
        await router().dispatch("greet", ADA, {"name": 1})


def test_two_handlers_for_one_event_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        merge(router(), router())


def test_an_error_code_belongs_to_one_error() -> None:
    with pytest.raises(TypeError, match="not_found"):
        type("Another", (HubError,), {"code": "not_found"})
    assert CATALOGUE["not_found"].http_status == 404
