"""REST as clients may rely on it: problem documents, places, versions, repeats, pages, and the life of a session."""

from datetime import datetime
from typing import Any

import pytest

from hub.kernel.errors import CATALOGUE
from hub.kernel.ids import new_uuid
from tests.support.hub import PASSWORD
from tests.support.hub_process import HubProcess
from tests.support.rest import BASE, Answer, Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until

BLOCKS = {"blocks": [{"type": "paragraph", "text": "Words."}]}
POST_FIELDS = {
    *("id", "slug", "title", "content", "excerpt", "coverImage", "tags", "category", "status", "author", "viewCount"),
    *("readingTime", "sentiment", "publishedAt", "createdAt", "updatedAt"),
}


def problem(answer: Answer, status: int, code: str) -> list[dict[str, str]]:
    """The ``errors`` of a problem document that is as RFC 9457 and the contract have it."""
    body = answer.expect(status)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert body.keys() >= {"type", "title", "status", "detail", "code", "errors"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert code in CATALOGUE
    errors: list[dict[str, str]] = body["errors"]
    return errors


async def signed_up(rest: Rest, name: str) -> dict[str, Any]:
    body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD, "referralCode": "SPRING"}
    answer = await rest.post("/auth/signup", json=body)
    tokens: dict[str, Any] = answer.expect(201)
    assert answer.headers["Location"] == f"{BASE}/users/{tokens['user']['id']}"
    return tokens


async def refreshed(rest: Rest, token: str) -> Answer:
    return await rest.post("/auth/refresh", json={"refreshToken": token})


# Problem documents


async def test_every_refusal_is_a_problem_document_with_a_code_of_the_catalogue(
    rest: Rest, ada: Person, bob: Person
) -> None:
    post = await rest.post_article(ada)
    problem(await rest.get("/users/me"), 401, "unauthorized")
    problem(await rest.get(f"/users/{new_uuid()}"), 404, "not_found")
    problem(await rest.get("/no/such/address"), 404, "not_found")
    problem(await rest.request("PUT", "/rooms", ada), 405, "method_not_allowed")
    problem(await rest.request("DELETE", f"/posts/{post['id']}", bob), 403, "forbidden")
    problem(await rest.post("/rooms", ada, data=b"{"), 400, "malformed_body")
    taken = {"email": f"{ada.name}@example.org", "username": ada.name, "password": PASSWORD}
    errors = problem(await rest.post("/auth/signup", json=taken), 409, "conflict")
    assert [error["pointer"] for error in errors] == ["/email", "/username"]
    stale = {"If-Match": '"99"'}
    problem(
        await rest.request("PATCH", f"/posts/{post['id']}", ada, json={}, headers=stale), 412, "precondition_failed"
    )


async def test_a_limit_says_when_to_come_back(rest: Rest, ada: Person) -> None:
    wrong = {"username": ada.name, "password": "not the password"}
    answers = [await rest.post("/auth/signin", json=wrong) for _ in range(12)]
    assert answers[0].status == 401
    problem(answers[-1], 429, "rate_limited")
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize("parameter", ["x", "00000000-0000-4000-8000-00000000000Z"])
async def test_an_invalid_part_of_the_path_has_a_pointer_too(rest: Rest, parameter: str) -> None:
    assert [error["pointer"] for error in problem(await rest.get(f"/users/{parameter}"), 422, "invalid_payload")] == [
        "/userId"
    ]


# Sessions


async def test_signing_up_and_in_answer_a_person_and_tokens(rest: Rest) -> None:
    up = await signed_up(rest, "carol")
    fields = {"user", "accessToken", "accessTokenExpiresAt", "refreshToken"}
    for name in ({"username": "carol"}, {"email": "carol@example.org"}):
        into = (await rest.post("/auth/signin", json={**name, "password": PASSWORD})).expect(200)
        assert into.keys() == up.keys() == fields
        assert into["user"] == up["user"]
    assert up["accessTokenExpiresAt"].endswith("Z")
    assert datetime.fromisoformat(up["accessTokenExpiresAt"]) > datetime.fromisoformat(up["user"]["createdAt"])


async def test_refresh_rotates_and_a_stolen_token_ends_the_session_on_every_node(
    hub: HubProcess, rest: Rest, elsewhere: Rest
) -> None:
    first = await signed_up(rest, "dave")
    second = (await refreshed(elsewhere, first["refreshToken"])).expect(200)
    third = (await refreshed(rest, second["refreshToken"])).expect(200)
    assert len({tokens["refreshToken"] for tokens in (first, second, third)}) == 3
    dave = Person(third["user"]["id"], "dave", third["accessToken"])
    async with socket_client(hub.nodes[1].url, dave.token) as socket:
        problem(await refreshed(rest, first["refreshToken"]), 401, "unauthorized")
        assert await socket.expect("session:revoked") == {"reason": "refresh_token_reused"}
        await until(lambda: not socket.connected)
    problem(await refreshed(rest, third["refreshToken"]), 401, "unauthorized")
    problem(await elsewhere.get("/users/me", dave), 401, "unauthorized")


async def test_one_lists_ones_sessions_and_ends_another(hub: HubProcess, rest: Rest, ada: Person) -> None:
    phone = await rest.sign_in(ada.name)
    sessions = (await rest.get("/auth/sessions", ada)).expect(200)
    assert sessions.keys() == {"data", "pageInfo"}
    assert [session["current"] for session in sessions["data"]] == [False, True]
    other = sessions["data"][0]["id"]
    async with socket_client(hub.nodes[1].url, phone.token) as socket:
        (await rest.request("DELETE", f"/auth/sessions/{other}", ada)).expect(204)
        assert (await socket.expect("session:revoked"))["reason"]
        await until(lambda: not socket.connected)
    problem(await rest.get("/users/me", phone), 401, "unauthorized")
    (await rest.post("/auth/logout", ada)).expect(204)
    problem(await rest.get("/users/me", ada), 401, "unauthorized")


# Places, versions, repeats


async def test_what_is_created_is_found_where_the_answer_says_under_the_same_version(rest: Rest, ada: Person) -> None:
    for path, body in (
        ("/posts", {"title": "A place", "content": BLOCKS}),
        ("/rooms", {"name": "Commons", "visibility": "public"}),
        ("/documents", {"title": "Minutes"}),
    ):
        created = await rest.post(path, ada, json=body)
        made = created.expect(201)
        found = await rest.get(created.headers["Location"].removeprefix(BASE), ada)
        assert found.expect(200) == made
        assert found.headers["ETag"] == created.headers.get("ETag", found.headers["ETag"])
        unchanged = {"If-None-Match": found.headers["ETag"]}
        again = await rest.get(created.headers["Location"].removeprefix(BASE), ada, headers=unchanged)
        assert (again.status, again.body) == (304, None)


async def test_the_tag_of_a_room_changes_with_what_is_said_in_it(hub: HubProcess, rest: Rest, ada: Person) -> None:
    room_id = await rest.room(ada)
    before = (await rest.get(f"/rooms/{room_id}", ada)).headers["ETag"]
    async with socket_client(hub.nodes[1].url, ada.token) as socket:
        await socket.ok("room:join", {"roomId": room_id})
        await socket.ok("room:send", {"roomId": room_id, "clientId": "1", "body": "Hi"})
    after = await rest.get(f"/rooms/{room_id}", ada, headers={"If-None-Match": before})
    assert after.expect(200)["lastSeq"] == 1


async def test_members_have_a_place(rest: Rest, ada: Person, bob: Person) -> None:
    room, document = f"/rooms/{await rest.room(ada)}", f"/documents/{await rest.document(ada)}"
    for resource, body in ((room, {"userId": bob.id}), (document, {"userId": bob.id, "role": "viewer"})):
        answer = await rest.post(f"{resource}/members", ada, json=body)
        assert answer.expect(201)["userId"] == bob.id
        place = answer.headers["Location"]
        assert place == f"{BASE}{resource}/members/{bob.id}"
        (await rest.request("DELETE", place.removeprefix(BASE), ada)).expect(204)


async def test_putting_a_profile_replaces_all_of_it_and_patching_only_what_is_given(
    rest: Rest, ada: Person, bob: Person
) -> None:
    path = f"/users/{ada.id}"
    await rest.request("PATCH", path, ada, json={"displayName": "Ada", "bio": "Numbers"})
    patched = await rest.request("PATCH", path, ada, json={"bio": "Engines"})
    assert (patched.expect(200)["displayName"], patched.body["bio"]) == ("Ada", "Engines")
    version = {"If-Match": patched.headers["ETag"]}
    put = await rest.request("PUT", path, ada, json={"displayName": "Countess"}, headers=version)
    assert (put.expect(200)["displayName"], put.body["bio"]) == ("Countess", "")
    problem(await rest.request("PUT", path, ada, json={}, headers=version), 412, "precondition_failed")
    problem(await rest.request("PUT", path, bob, json={}), 403, "forbidden")
    errors = problem(await rest.request("PUT", path, ada, json={"displayName": 1, "mood": ""}), 422, "invalid_payload")
    assert [error["pointer"] for error in errors] == ["/displayName", "/mood"]
    read = await rest.get(path, bob)
    assert (read.body["displayName"], read.headers["ETag"]) == ("Countess", put.headers["ETag"])


async def test_every_write_can_be_repeated_under_its_key(rest: Rest, elsewhere: Rest, ada: Person) -> None:
    article = {"title": "Once", "content": BLOCKS, "status": "PUBLISHED"}

    async def twice(method: str, path: str, **options: Any) -> Answer:
        options["headers"] = {**options.get("headers", {}), "Idempotency-Key": f"{method}-{ada.id}"}
        first = await rest.request(method, path, ada, **options)
        again = await elsewhere.request(method, path, ada, **options)
        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert first.headers.get("ETag") == again.headers.get("ETag")
        return first

    post = await twice("POST", "/posts", json=article)
    path = f"/posts/{post.expect(201)['id']}"
    version = {"If-Match": post.headers["ETag"]}
    changed = await twice("PATCH", path, json={"title": "Twice"}, headers=version)
    assert changed.expect(200)["title"] == "Twice"
    version = {"If-Match": changed.headers["ETag"]}
    assert (await twice("PUT", path, json=article, headers=version)).expect(200)["title"] == "Once"
    (await twice("DELETE", path)).expect(204)
    mixed_up = {"Idempotency-Key": f"PATCH-{ada.id}"}
    problem(await rest.request("PATCH", path, ada, json={}, headers=mixed_up), 422, "invalid_payload")
    assert (await rest.get(f"/users/{ada.id}/posts", ada)).expect(200)["data"] == []


@pytest.mark.parametrize("tag", ["99999999999", "999999999999999999999999", "abc", "W/1"])
async def test_a_version_that_never_was_is_a_failed_precondition(rest: Rest, ada: Person, tag: str) -> None:
    header = {"If-Match": f'"{tag}"'}
    path = f"/documents/{await rest.document(ada)}"
    changes = {"json": {"title": "Late"}, "headers": header}
    problem(await rest.request("PATCH", path, ada, **changes), 412, "precondition_failed")
    problem(await rest.request("DELETE", path, ada, headers=header), 412, "precondition_failed")


# Posts and documents


async def test_lists_are_pages_that_lead_from_one_to_the_next(rest: Rest, ada: Person, bob: Person) -> None:
    for number in range(3):
        await rest.post_article(ada, f"Number {number}")
        (await rest.post(f"/users/{ada.id}/follow", await rest.sign_up("fan"))).expect(204)
    for path in (f"/users/{ada.id}/posts", f"/users/{ada.id}/followers", "/posts"):
        seen: list[str] = []
        query: dict[str, str | int] = {"limit": 2}
        for _ in range(2):
            page = (await rest.get(path, bob, params=query)).expect(200)
            assert page.keys() == {"data", "pageInfo"}
            seen += [one["id"] for one in page["data"]]
            assert page["pageInfo"]["hasNext"] is (page["pageInfo"]["nextCursor"] is not None)
            query["cursor"] = page["pageInfo"]["nextCursor"] or ""
        assert len(set(seen)) == len(seen) >= 3, path


async def test_a_post_is_read_by_anyone_once_published_and_by_its_author_before(rest: Rest, ada: Person) -> None:
    draft = await rest.post_article(ada, "A post & more", status="DRAFT")
    assert draft.keys() == POST_FIELDS
    assert draft["author"].keys() == {"id", "username", "displayName"}
    for reference in (draft["id"], draft["slug"]):
        problem(await rest.get(f"/posts/{reference}"), 404, "not_found")
        assert (await rest.get(f"/posts/{reference}", ada)).expect(200) == draft
    published = await rest.request("PATCH", f"/posts/{draft['id']}", ada, json={"status": "PUBLISHED"})
    assert published.expect(200)["publishedAt"].endswith("Z")
    assert (await rest.get(f"/posts/{draft['slug']}")).expect(200) == published.body
    twin = await rest.post_article(ada, "A post & more")
    assert twin["slug"] != draft["slug"]
    lookalike = await rest.post_article(ada, draft["id"])
    assert lookalike["slug"] != draft["id"]


async def test_a_document_is_shared_by_role_with_somebody_who_is_there(rest: Rest, ada: Person, bob: Person) -> None:
    path = f"/documents/{await rest.document(ada)}"
    problem(await rest.get(path, bob), 404, "not_found")
    problem(await rest.post(f"{path}/members", ada, json={"userId": new_uuid(), "role": "viewer"}), 404, "not_found")
    for role in ("editor", "commenter", "viewer"):
        member = {"userId": bob.id, "role": role}
        assert (await rest.post(f"{path}/members", ada, json=member)).expect(201) == member
        assert (await rest.get(path, bob)).expect(200)["role"] == role
        (await rest.request("PATCH", f"{path}/members/{bob.id}", ada, json={"role": "viewer"})).expect(200)
        (await rest.request("DELETE", f"{path}/members/{bob.id}", ada)).expect(204)
    (await rest.request("DELETE", path, ada)).expect(204)
    problem(await rest.get(path, ada), 404, "not_found")


@pytest.mark.parametrize("title", ["a\0b", " ", "two\nlines"])
async def test_a_title_that_cannot_be_kept_or_seen_is_refused_by_field(rest: Rest, ada: Person, title: str) -> None:
    errors = problem(await rest.post("/documents", ada, json={"title": title}), 422, "invalid_payload")
    assert [error["pointer"] for error in errors] == ["/title"]


async def test_presence_is_read_of_500_people_and_not_of_501(rest: Rest, ada: Person) -> None:
    ids = [new_uuid() for _ in range(501)]
    users = (await rest.get("/presence", ada, params={"ids": ",".join([ada.id, *ids[:499]])})).expect(200)["users"]
    assert [one["userId"] for one in users] == [ada.id, *ids[:499]]
    for asked, pointer in ((ids, "/ids"), ([], "/ids/0"), ([ada.id, ""], "/ids/1"), ([ada.id, "x"], "/ids/1")):
        answer = await rest.get("/presence", ada, params={"ids": ",".join(asked)})
        assert [error["pointer"] for error in problem(answer, 422, "invalid_payload")] == [pointer]
    twice = (await rest.get("/presence", ada, params={"ids": f"{ada.id},{ada.id}"})).expect(200)["users"]
    assert [one["userId"] for one in twice] == [ada.id]
    assert [error["pointer"] for error in problem(await rest.get("/presence", ada), 422, "invalid_payload")] == ["/ids"]


async def test_presence_and_ice_servers_are_read_by_rest_too(rest: Rest, ada: Person, bob: Person) -> None:
    users = (await rest.get("/presence", ada, params={"ids": f"{ada.id},{bob.id}"})).expect(200)["users"]
    assert [one["userId"] for one in users] == [ada.id, bob.id]
    assert all(one.keys() == {"userId", "status", "lastSeen", "devices", "version"} for one in users)
    assert (await rest.get("/realtime/ice-servers", ada)).expect(200).keys() == {"iceServers", "iceTransportPolicy"}
