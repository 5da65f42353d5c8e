"""Sharing, deleting and giving away documents, by REST."""

import pytest

from tests.integration.http.operations import assert_problem
from tests.support.rest import Person, Rest


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
