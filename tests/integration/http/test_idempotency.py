"""Idempotency-Key: a request that is sent again is carried out once, whatever became of the first answer."""

import asyncio
from uuid import uuid4

from tests.integration.http.operations import assert_problem
from tests.support.rest import Answer, Person, Rest

ROOM = {"name": "Commons", "visibility": "public"}


async def test_a_repeat_gets_the_first_answer_and_makes_no_second_room(rest: Rest, ada: Person) -> None:
    key = str(uuid4())
    first = await _make_room(rest, ada, key)
    again = await _make_room(rest, ada, key)

    assert again.expect(201) == first.expect(201)
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await _rooms_of(rest, ada) == [first.body["id"]]


async def test_another_request_under_the_same_key_is_refused(rest: Rest, ada: Person) -> None:
    key = str(uuid4())
    (await _make_room(rest, ada, key)).expect(201)
    assert_problem(await _make_room(rest, ada, key, name="Another"), 422, "invalid_payload")
    assert len(await _rooms_of(rest, ada)) == 1


async def test_of_requests_at_once_one_is_carried_out(rest: Rest, ada: Person) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(_make_room(rest, ada, key) for _ in range(8)))

    carried_out = [one for one in answers if one.status == 201 and "Idempotency-Replayed" not in one.headers]
    assert len(carried_out) == 1
    for answer in answers:
        if answer.status == 409:
            assert_problem(answer, 409, "conflict")
            assert int(answer.headers["Retry-After"]) >= 1
        else:
            assert answer.expect(201) == carried_out[0].body
    assert len(await _rooms_of(rest, ada)) == 1


async def test_keys_are_each_persons_own(rest: Rest, ada: Person, bob: Person) -> None:
    key = str(uuid4())
    rooms = {(await _make_room(rest, person, key)).expect(201)["id"] for person in (ada, bob)}
    assert len(rooms) == 2


async def test_a_request_that_failed_can_be_sent_again_under_its_key(rest: Rest, ada: Person) -> None:
    key = str(uuid4())
    assert_problem(await _make_room(rest, ada, key, name=""), 422, "invalid_payload")
    (await _make_room(rest, ada, key)).expect(201)


async def test_a_key_that_is_empty_or_too_long_is_refused(rest: Rest, ada: Person) -> None:
    for key in (" ", "k" * 201, "é"):
        assert_problem(await _make_room(rest, ada, key), 422, "invalid_payload")
    assert await _rooms_of(rest, ada) == []


async def _make_room(rest: Rest, person: Person, key: str, **changes: str) -> Answer:
    return await rest.post("/rooms", person, json=ROOM | changes, headers={"Idempotency-Key": key})


async def _rooms_of(rest: Rest, person: Person) -> list[str]:
    rooms = (await rest.get("/rooms?limit=100", person)).expect(200)["data"]
    return [room["id"] for room in rooms if room["ownerId"] == person.id]
