"""Sharing, deleting and giving away documents, by REST."""

import aiohttp
import pytest

from tests.integration.http.operations import assert_problem
from tests.support.rest import Person, Rest
from tests.support.socket_client import socket_client
from tests.support.wait import until


@pytest.fixture
async def document(rest: Rest, ada: Person) -> str:
    return await rest.document(ada)


async def test_a_link_is_made_followed_and_revoked(rest: Rest, ada: Person, bob: Person, document: str) -> None:
    links = f"/documents/{document}/links"
    made = await rest.post(links, ada, json={"role": "commenter"})
    link = made.expect(201)
    assert made.headers["Location"] == f"/api/v1{links}/{link['id']}"
    joined = (await rest.post("/documents/join", bob, json={"secret": link["secret"]})).expect(200)
    assert (joined["id"], joined["role"]) == (document, "commenter")
    (listed,) = (await rest.get(links, ada)).expect(200)["data"]
    assert listed == {name: value for name, value in link.items() if name != "secret"} | {"joined": 1}
    (await rest.request("DELETE", f"{links}/{link['id']}", ada)).expect(204)
    carol = await rest.sign_up("carol")
    assert_problem(await rest.post("/documents/join", carol, json={"secret": link["secret"]}), 404, "not_found")


async def test_a_link_made_twice_under_one_key_is_one_and_its_secret_is_shown_once(
    rest: Rest, ada: Person, document: str
) -> None:
    links = f"/documents/{document}/links"
    ask = {"json": {"role": "viewer"}, "headers": {"Idempotency-Key": f"link of {document}"}}
    first = (await rest.post(links, ada, **ask)).expect(201)
    again = await rest.post(links, ada, **ask)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.expect(201) == {name: value for name, value in first.items() if name != "secret"}
    assert len((await rest.get(links, ada)).expect(200)["data"]) == 1


async def test_a_deletion_is_listed_and_taken_back(rest: Rest, ada: Person, document: str) -> None:
    (await rest.request("DELETE", f"/documents/{document}", ada)).expect(204)
    assert_problem(await rest.get(f"/documents/{document}", ada), 404, "not_found")
    deleted = (await rest.get("/documents?deleted=true", ada)).expect(200)["data"]
    assert [one["id"] for one in deleted] == [document]
    assert deleted[0]["removedAt"] > deleted[0]["updatedAt"]
    back = await rest.post(f"/documents/{document}/undelete", ada)
    assert back.expect(200)["id"] == document
    assert (await rest.get(f"/documents/{document}", ada)).headers["ETag"] == back.headers["ETag"]


async def test_a_document_changes_hands(rest: Rest, ada: Person, bob: Person) -> None:
    document = await rest.document(ada, bob)
    given = await rest.request("PUT", f"/documents/{document}/owner", ada, json={"userId": bob.id})
    assert given.expect(200)["ownerId"] == bob.id
    assert (await rest.get(f"/documents/{document}", bob)).expect(200)["role"] == "owner"


async def test_a_document_is_made_of_markdown_exported_and_restored(rest: Rest, ada: Person) -> None:
    content = {"format": "markdown", "content": "# Minutes\n\nAda *opens*.", "root": "prosemirror"}
    made = (await rest.post("/documents", ada, json={"title": "Minutes", "content": content})).expect(201)
    document = f"/documents/{made['id']}"
    version = await rest.post(f"{document}/versions", ada, json={"name": "Draft"})
    kept = f"{document}/versions/{version.expect(201)['id']}"
    assert version.headers["Location"] == f"/api/v1{kept}"
    change = {"format": "markdown", "content": "# Minutes\n\nAda closes.", "root": "prosemirror"}
    (await rest.post(f"{document}/import", ada, json=change)).expect(200)
    diff = (await rest.get(f"{kept}/diff", ada)).expect(200)
    gone = "".join(piece["text"] for piece in diff["roots"][0]["pieces"] if piece["op"] == "delete")
    assert (diff["roots"][0]["root"], gone) == ("prosemirror", "*opens*")
    restored = (await rest.post(f"{kept}/restore", ada)).expect(200)
    assert restored["before"]["name"] is None
    async with aiohttp.ClientSession() as http:
        for where, form, expected in (
            (document, "markdown", b"# Minutes\n\nAda *opens*."),
            (f"{document}/versions/{restored['before']['id']}", "text", b"Minutes\nAda closes."),
        ):
            path = f"{where}/export" if where == document else where
            headers = {"Authorization": f"Bearer {ada.token}"}
            async with http.get(f"{rest.url}/api/v1{path}?format={form}", headers=headers) as answer:
                assert await answer.read() == expected
                assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["ETag"]
    history = (await rest.get(f"{document}/history", ada)).expect(200)["data"]
    assert [one["userId"] for one in history] == [ada.id]
    assert history[0]["changes"] == 3
    assert len((await rest.get(f"{document}/versions", ada)).expect(200)["data"]) == 2


async def test_content_that_cannot_be_imported_is_named(rest: Rest, ada: Person, document: str) -> None:
    content = {"format": "json", "content": {"text": {"kind": "poem"}}}
    refused = await rest.post(f"/documents/{document}/import", ada, json=content)
    assert_problem(refused, 422, "unsuitable_content")
    assert "'text'" in refused.body["detail"]
    broken = {"format": "yjs-v1", "content": "%"}
    errors = assert_problem(await rest.post(f"/documents/{document}/import", ada, json=broken), 422, "invalid_payload")
    assert errors[0]["pointer"] == "/content"


async def test_a_comment_reaches_those_who_have_the_document_open(rest: Rest, ada: Person, bob: Person) -> None:
    document = await rest.document(ada, bob)
    anchor = {"start": {"tname": "text", "assoc": 0}, "end": {"tname": "text", "assoc": -1}}
    async with socket_client(rest.url, bob.token) as client:
        await client.ok("collab:join", document)
        answer = await rest.post(f"/documents/{document}/comments", ada, json={"body": "Why?", "anchor": anchor})
        comment = answer.expect(201)
        told = await client.expect("document:comment")
    assert told == {
        "documentId": document,
        "threadId": comment["id"],
        "commentId": comment["id"],
        "change": "created",
    }
    thread = (await rest.get(answer.headers["Location"].removeprefix("/api/v1"), bob)).expect(200)
    assert thread["anchor"] == anchor
    assert [one["body"] for one in thread["comments"]] == ["Why?"]
    done = await rest.request(
        "PUT", f"/documents/{document}/comments/{comment['id']}/resolution", bob, json={"resolved": True}
    )
    assert done.expect(200)["resolvedBy"] == bob.id


async def test_a_webhook_into_the_hubs_own_network_is_refused_and_its_owner_sees_why(
    rest: Rest, ada: Person, document: str
) -> None:
    body = {"url": f"{rest.url}/health/live", "events": ["document.updated"], "documentId": document}
    ask = {"json": body, "headers": {"Idempotency-Key": f"webhook of {document}"}}
    made = (await rest.post("/webhooks", ada, **ask)).expect(201)
    assert made["secret"].startswith("whsec_")
    assert "secret" not in (await rest.post("/webhooks", ada, **ask)).expect(201)
    (await rest.request("PATCH", f"/documents/{document}", ada, json={"title": "New"})).expect(200)

    async def tried() -> list[dict[str, str]]:
        deliveries = (await rest.get(f"/webhooks/{made['id']}/deliveries", ada)).expect(200)["data"]
        return [one for one in deliveries if one["error"]]

    (delivery,) = await until(tried)
    assert (delivery["event"], delivery["state"], delivery["error"]) == (
        "document.updated",
        "waiting",
        "the address is not public",
    )
    (await rest.request("DELETE", f"/webhooks/{made['id']}", ada)).expect(204)
