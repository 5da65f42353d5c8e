"""Queries and mutations over real services: the same people and posts as by REST, with the same rules."""

import logging
from collections.abc import Callable

import asyncpg
import pytest

from hub.kernel.ids import new_uuid
from tests.support.graphql_client import GraphQL
from tests.support.queries import Since
from tests.support.rest import Person, Rest

Of = Callable[[Person], GraphQL]

CREATE = "mutation($input: CreatePostInput!) {createPost(input: $input) {id slug status title content tags}}"
UPDATE = "mutation($id: ID!, $input: UpdatePostInput!) {updatePost(id: $id, input: $input) {title excerpt status}}"
CONTENT = {"blocks": [{"type": "paragraph", "text": "Words."}]}
PAGE = """query($n: Int!, $after: String) {
    posts(first: $n, after: $after) {
        edges {cursor node {title author {username profile {displayName}}}} pageInfo {hasNextPage endCursor}
    }
}"""


async def test_me_is_who_asks_with_what_only_they_may_see(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    data = await of(ada).data("{me {id username email profile {displayName bio} createdAt}}")
    user = (await rest.get("/users/me", ada)).expect(200)
    assert data["me"] == {
        "id": ada.id,
        "username": ada.name,
        "email": user["email"],
        "profile": {"displayName": "", "bio": ""},
        "createdAt": user["createdAt"],
    }


async def test_a_person_is_found_by_id_or_by_name_in_any_case(rest: Rest, stranger: GraphQL) -> None:
    ada = await rest.sign_up("ada")
    by_id = await stranger.data("query($id: ID!) {user(id: $id) {username email}}", id=ada.id)
    by_name = await stranger.data("query($n: String!) {user(username: $n) {username email}}", n=ada.name.upper())
    assert by_id == by_name == {"user": {"username": ada.name, "email": None}}
    assert await stranger.data("query($id: ID!) {user(id: $id) {id}}", id=new_uuid()) == {"user": None}
    assert await stranger.data('{user(username: "nobody_here") {id}}') == {"user": None}


async def test_a_reference_that_is_none_is_named(stranger: GraphQL) -> None:
    for query in ("{user {id}}", '{user(id: "x") {id}}', '{user(username: "a b") {id}}', "{post {id}}"):
        error = await stranger.error(query)
        assert error["extensions"]["code"] == "invalid_payload"
        assert error["extensions"]["errors"]


async def test_a_post_is_written_read_and_changed(rest: Rest, of: Of, stranger: GraphQL) -> None:
    ada = await rest.sign_up("ada")
    fields = {"title": "On hubs", "content": CONTENT, "tags": ["a", "b"], "status": "PUBLISHED"}
    created = (await of(ada).data(CREATE, input=fields))["createPost"]
    assert created["slug"] == "on-hubs"
    assert created["content"] == CONTENT
    assert (await rest.get("/posts/on-hubs")).expect(200)["id"] == created["id"]
    changes = {"title": "On nodes", "excerpt": "Short."}
    updated = (await of(ada).data(UPDATE, id=created["id"], input=changes))["updatePost"]
    assert updated == {"title": "On nodes", "excerpt": "Short.", "status": "PUBLISHED"}
    cleared = (await of(ada).data(UPDATE, id=created["id"], input={"excerpt": None}))["updatePost"]
    assert cleared["excerpt"] is None
    read = await stranger.data('{post(slug: "on-hubs") {title author {username}}}')
    assert read == {"post": {"title": "On nodes", "author": {"username": ada.name}}}


async def test_a_draft_is_its_authors_alone(rest: Rest, of: Of, stranger: GraphQL) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    draft = (await of(ada).data(CREATE, input={"title": "Draft", "content": CONTENT}))["createPost"]
    query = "query($id: ID!) {post(id: $id) {title}}"
    assert await of(ada).data(query, id=draft["id"]) == {"post": {"title": "Draft"}}
    assert await of(bob).data(query, id=draft["id"]) == await stranger.data(query, id=draft["id"]) == {"post": None}
    assert await of(bob).code(UPDATE, id=draft["id"], input={"title": "Mine"}) == "not_found"
    mine = "{me {posts {edges {node {title}}}}}"
    assert (await of(ada).data(mine))["me"]["posts"]["edges"] == [{"node": {"title": "Draft"}}]


async def test_every_invalid_field_of_an_input_is_named(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    error = await of(ada).error(CREATE, input={"title": " ", "content": {"blocks": "x"}, "coverImage": "javascript:1"})
    assert error["extensions"]["code"] == "invalid_payload"
    assert error["path"] == ["createPost"]
    pointers = {one["pointer"] for one in error["extensions"]["errors"]}
    assert pointers == {"/title", "/content/blocks", "/coverImage"}


async def test_pages_follow_each_other(rest: Rest, stranger: GraphQL) -> None:
    ada = await rest.sign_up("ada")
    for number in range(5):
        await rest.post_article(ada, f"Post {number}")
    titles, after = [], None
    while True:
        page = (await stranger.data(PAGE, n=2, after=after))["posts"]
        titles += [edge["node"]["title"] for edge in page["edges"]]
        assert page["edges"][-1]["cursor"] == page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert titles == [f"Post {number}" for number in (4, 3, 2, 1, 0)]


async def test_a_page_that_cannot_be_is_refused(stranger: GraphQL) -> None:
    for first, after in ((0, None), (101, None), (-1, None), (5, "nonsense"), (5, "x" * 10_000)):
        assert await stranger.code(PAGE, n=first, after=after) == "invalid_payload"


async def test_following_is_idempotent_and_respects_blocks(rest: Rest, of: Of) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    follow = "mutation($id: ID!) {followUser(userId: $id) {username}}"
    for _ in range(2):
        assert await of(ada).data(follow, id=bob.id) == {"followUser": {"username": bob.name}}
    followers = (await rest.get(f"/users/{bob.id}/followers")).expect(200)["data"]
    assert [user["id"] for user in followers] == [ada.id]
    assert await of(ada).code(follow, id=ada.id) == "forbidden"
    (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
    assert await of(bob).code(follow, id=ada.id) == "not_found"
    assert await of(bob).data("query($id: ID!) {user(id: $id) {id}}", id=ada.id) == {"user": None}
    assert await of(bob).data("query($n: String!) {user(username: $n) {id}}", n=ada.name) == {"user": None}


async def test_an_author_who_blocks_the_viewer_is_not_looked_up_around_the_block(rest: Rest, of: Of) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    post = await rest.post_article(ada)
    (await rest.post(f"/users/{bob.id}/block", ada)).expect(204)
    assert await of(bob).data("query($id: ID!) {post(id: $id) {title}}", id=post["id"]) == {"post": None}
    assert (await of(bob).data(PAGE, n=10))["posts"]["edges"] == []


async def test_mutations_of_one_operation_run_in_order(rest: Rest, of: Of) -> None:
    ada = await rest.sign_up("ada")
    both = """mutation($a: CreatePostInput!, $b: CreatePostInput!) {
        first: createPost(input: $a) {slug} second: createPost(input: $b) {slug}
    }"""
    fields = {"title": "Same", "content": CONTENT}
    data = await of(ada).data(both, a=fields, b=fields)
    assert data["first"]["slug"] == "same"
    assert data["second"]["slug"].startswith("same-")


async def test_a_page_of_50_posts_by_50_authors_takes_two_queries_and_one_more_for_blocks_and_one_for_lives(
    rest: Rest, of: Of, stranger: GraphQL, database_url: str, queries: Since
) -> None:
    ada, viewer = await rest.sign_up("ada"), await rest.sign_up("viewer")
    await rest.post_article(ada)
    await _multiply(database_url, 49)
    lives = "{posts(first: 50) {edges {node {author {createdAt profile {bio}}}}}}"
    await stranger.data("{__typename}")  # the schema is there
    queries()
    # Posts, and the names of their authors. For somebody signed in, who of the authors has a block with them.
    for asking, page, expected in ((stranger, PAGE, 2), (of(viewer), PAGE, 3), (stranger, lives, 3)):
        edges = (await asking.data(page, n=50))["posts"]["edges"]
        assert len(edges) == 50
        assert len(queries()) == expected
    authors = [edge["node"]["author"] for edge in (await stranger.data(PAGE, n=50))["posts"]["edges"]]
    assert len({author["username"] for author in authors}) == 50


async def _multiply(database_url: str, times: int) -> None:
    """Copy the only post, each time with an author of its own: signing up so many takes seconds."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """
        WITH author AS (
            INSERT INTO account_user (id, email, email_key, username, username_key, password_hash, created_at)
            SELECT gen_random_uuid(), name, name, name, name, '', now()
            FROM (SELECT 'author' || n AS name FROM generate_series(1, $1) AS n) AS names
            RETURNING id
        )
        INSERT INTO post (
            id, author_id, slug, title, content, tags, status, reading_minutes, published_at, created_at, updated_at
        )
        SELECT gen_random_uuid(), author.id, author.id::text, title, content, tags, status, reading_minutes,
            published_at, created_at, updated_at
        FROM post, author
        """,
        times,
    )
    await connection.close()


async def test_what_is_our_fault_is_masked_and_logged(
    rest: Rest, of: Of, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await rest.sign_up("ada")
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE post RENAME COLUMN title TO headline")
    await connection.close()
    with caplog.at_level(logging.ERROR, "core_api.graphql"):
        error = await of(ada).error("{posts {edges {node {id}}}}")
    assert error["extensions"] == {"code": "internal", "temporary": True}
    assert "title" not in error["message"]
    assert "headline" in caplog.text or "title" in caplog.text
    assert error["path"] == ["posts"]


async def test_what_is_not_signed_in_is_refused_field_by_field(stranger: GraphQL) -> None:
    answer = await stranger.post("{me {id} posts {edges {node {id}}}}")
    assert answer["data"] == {"me": None, "posts": {"edges": []}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["unauthorized"]


async def test_a_companion_is_made_and_answers(rest: Rest, of: Of) -> None:
    ada, bob = await rest.sign_up("ada"), await rest.sign_up("bob")
    create = "mutation($input: CreateAICompanionInput!) {createAICompanion(input: $input) {id personality {openness}}}"
    fields = {"name": "Iris", "personalityTraits": {"openness": 0.5}}
    companion = (await of(ada).data(create, input=fields))["createAICompanion"]
    assert companion["personality"] == {"openness": 0.5}
    chat = """mutation($id: ID!, $text: String!) {
        chatWithAICompanion(companionId: $id, message: $text) {conversationId response responder memories {text}}
    }"""
    reply = (await of(ada).data(chat, id=companion["id"], text="Hello, I like hiking."))["chatWithAICompanion"]
    assert reply["response"]
    assert reply["responder"] == "scripted"
    assert await of(bob).code(chat, id=companion["id"], text="Hello") == "not_found"
    error = await of(ada).error(create, input={"name": "", "personalityTraits": {"openness": 2, "x": 1}})
    pointers = {one["pointer"] for one in error["extensions"]["errors"]}
    assert pointers == {"/name", "/personalityTraits/openness", "/personalityTraits/x"}
