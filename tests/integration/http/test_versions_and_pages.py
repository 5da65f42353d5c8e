"""ETags, conditional requests and keyset pages over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.http.operations import assert_problem
from tests.support.rest import Person, Rest


async def _profile(_rest: Rest, ada: Person) -> tuple[str, dict[str, Any]]:
    return f"/users/{ada.id}", {"bio": "Analyst"}


async def _post(rest: Rest, ada: Person) -> tuple[str, dict[str, Any]]:
    return f"/posts/{(await rest.post_article(ada))['id']}", {"title": "Another title"}


async def _document(rest: Rest, ada: Person) -> tuple[str, dict[str, Any]]:
    return f"/documents/{await rest.document(ada)}", {"title": "Another title"}


Resource = Callable[[Rest, Person], Awaitable[tuple[str, dict[str, Any]]]]
resources = pytest.mark.parametrize("resource", [_profile, _post, _document], ids=["profile", "post", "document"])


@resources
async def test_what_has_not_changed_is_not_sent_again(rest: Rest, ada: Person, resource: Resource) -> None:
    path, changes = await resource(rest, ada)
    etag = (await rest.get(path, ada)).headers["ETag"]

    unchanged = await rest.get(path, ada, headers={"If-None-Match": etag})
    assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, None, etag)
    (await rest.request("PATCH", path, ada, json=changes)).expect(200)
    changed = await rest.get(path, ada, headers={"If-None-Match": etag})
    assert changed.expect(200).items() >= changes.items()
    assert changed.headers["ETag"] != etag


@resources
async def test_of_two_changes_of_one_version_the_second_is_refused(rest: Rest, ada: Person, resource: Resource) -> None:
    path, changes = await resource(rest, ada)
    seen = {"If-Match": (await rest.get(path, ada)).headers["ETag"]}

    first = await rest.request("PATCH", path, ada, json=changes, headers=seen)
    first.expect(200)
    second = await rest.request("PATCH", path, ada, json=changes, headers=seen)
    assert_problem(second, 412, "precondition_failed")
    third = await rest.request("PATCH", path, ada, json=changes, headers={"If-Match": first.headers["ETag"]})
    third.expect(200)


@resources
@pytest.mark.parametrize("tag", ["1", '"one"', 'W/"1"', '"' + "9" * 30 + '"'])
async def test_a_tag_that_is_none_of_ours_matches_nothing(
    rest: Rest, ada: Person, resource: Resource, tag: str
) -> None:
    path, changes = await resource(rest, ada)
    answer = await rest.request("PATCH", path, ada, json=changes, headers={"If-Match": tag})
    assert_problem(answer, 412, "precondition_failed")


async def _a_room(rest: Rest, ada: Person, _number: int) -> str:
    return await rest.room(ada)


async def _a_document(rest: Rest, ada: Person, _number: int) -> str:
    return await rest.document(ada)


async def _an_article(rest: Rest, ada: Person, number: int) -> str:
    return str((await rest.post_article(ada, f"Number {number}"))["id"])


async def _a_follower(rest: Rest, ada: Person, _number: int) -> str:
    follower = await rest.sign_up("follower")
    (await rest.post(f"/users/{ada.id}/follow", follower)).expect(204)
    return follower.id


@pytest.mark.parametrize(
    ("path", "add"),
    [
        ("/rooms", _a_room),
        ("/documents", _a_document),
        ("/posts", _an_article),
        ("/users/{id}/posts", _an_article),
        ("/users/{id}/followers", _a_follower),
    ],
)
async def test_pages_neither_skip_nor_repeat_while_others_add(
    rest: Rest, ada: Person, path: str, add: Callable[[Rest, Person, int], Awaitable[str]]
) -> None:
    path = path.format(id=ada.id)
    there = [await add(rest, ada, number) for number in range(5)]
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = (await rest.get(path, ada, params=query)).expect(200)
        assert len(page["data"]) <= 2
        seen += [one["id"] for one in page["data"]]
        if not page["pageInfo"]["hasNext"] or set(there) <= set(seen):
            break
        query["cursor"] = page["pageInfo"]["nextCursor"]
        await add(rest, ada, len(seen) + 5)  # newer than every page still to come

    assert [one for one in seen if one in there] == there[::-1]
    assert len(seen) == len(set(seen))


async def test_the_last_page_says_so(rest: Rest, ada: Person) -> None:
    await rest.document(ada)
    page = (await rest.get("/documents?limit=1", ada)).expect(200)
    assert page["pageInfo"] == {"nextCursor": None, "hasNext": False}
