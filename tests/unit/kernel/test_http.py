"""hub.kernel.http: what an endpoint takes and gives is read off the handler's signature."""

from typing import Any

import pytest

from hub.kernel.events import Actor
from hub.kernel.http import Client, Endpoint, Handler, Reply, RestApi, snake
from hub.kernel.pages import Page, PageQuery
from hub.kernel.wire import Uuid, Wire


class Book(Wire):
    title: str


async def list_books(query: PageQuery, actor: Actor | None) -> Page[Book]:
    """The books, newest first.

    And more.
    """
    raise NotImplementedError


async def change_book(book_id: Uuid, body: Book, actor: Actor, if_match: int | None) -> Reply[Book]:
    """Change a book."""
    raise NotImplementedError


async def remove_book(book_id: Uuid, actor: Actor, client: Client) -> None:
    """Remove a book."""
    raise NotImplementedError


def endpoint(method: str, path: str, handler: Handler, **options: Any) -> Endpoint:
    api = RestApi("books")
    getattr(api, method)(path, handler, **options)
    return api.endpoints[0]


def test_a_list_takes_a_query_and_strangers() -> None:
    found = endpoint("get", "/books", list_books)
    assert (found.method, found.status, found.caller) == ("GET", 200, "optional")
    assert (found.query, found.body, found.response) == (PageQuery, None, Page[Book])
    assert found.summary == "The books, newest first."


def test_a_change_takes_path_body_and_version_and_gives_what_is_in_the_reply() -> None:
    found = endpoint("patch", "/books/{bookId}", change_book)
    assert found.path_parameters == {"book_id": Uuid}
    assert (found.body, found.response, found.caller) == (Book, Book, "required")
    assert found.takes_if_match
    assert not found.takes_client


def test_nothing_to_give_is_204_whatever_the_method() -> None:
    assert endpoint("delete", "/books/{bookId}", remove_book).status == 204
    assert endpoint("post", "/books/{bookId}/removal", remove_book).status == 204
    assert endpoint("post", "/books/{bookId}/lists", change_book, status=202).status == 202


def test_without_an_actor_nobody_is_asked_who_he_is() -> None:
    async def open_to_all() -> Book:
        """Open."""
        raise NotImplementedError

    assert endpoint("get", "/open", open_to_all).caller == "none"


async def _without_annotation(actor: Actor, extra) -> None:  # type: ignore[no-untyped-def]
    """Forgot one."""


@pytest.mark.parametrize(
    ("path", "handler", "named"),
    [
        ("/books", change_book, "book_id"),
        ("/books/{bookId}/{page}", change_book, "page"),
        ("/books", _without_annotation, "extra"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_when_it_is_mounted(path: str, handler: Handler, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        endpoint("patch", path, handler)


def test_names_of_the_path_are_camel_case_and_of_python_snake_case() -> None:
    assert [snake(name) for name in ("id", "userId", "contentURL2")] == ["id", "user_id", "content_url2"]
