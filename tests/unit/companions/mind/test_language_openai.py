"""The adapter of language models against servers that misbehave, and what it makes of a prompt."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.companions.language import LanguageModelUnavailable, Prompt, Turn
from core_api.companions.language_openai import NOTED, OpenAiModel, messages
from core_api.companions.language_settings import LanguageSettings
from tests.support.wait import until

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
KEY = "sk-secret-of-the-operator"
PROMPT = Prompt(persona="You are kind.", notes=(), history=(), message="Hello")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def says(*texts: str) -> bytes:
    chunks = (msgspec.json.encode({"choices": [{"delta": {"content": text}}]}) for text in texts)
    return b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks)


@asynccontextmanager
async def server(conversation: Conversation) -> AsyncIterator[str]:
    """The URL of a server that talks as it is told, once it has read the head of a request."""
    ended: list[asyncio.Event] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        try:
            await reader.readuntil(b"\r\n\r\n")
            await conversation(reader, writer)
        finally:
            writer.close()
            ended[-1].set()

    listening = await asyncio.start_server(connected, "127.0.0.1")
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/"
        listening.close()
        for event in ended:
            await event.wait()


def answers(*parts: bytes) -> Conversation:
    async def conversation(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return conversation


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + says("a"))
    while await reader.read(1000):
        pass


async def ask(url: str, **settings: object) -> list[str]:
    model = OpenAiModel(url, LanguageSettings(model="m", key=KEY, **settings))  # type: ignore[arg-type] # each test's
    try:
        async with aclosing(model.reply(PROMPT)) as texts:
            return [text async for text in texts]
    finally:
        await model.close()


async def test_a_reply_comes_in_the_chunks_of_the_server() -> None:
    async with server(answers(HEAD, says("Hel", "", "lo"), b"data: [DONE]\n\n")) as url:
        assert await ask(url) == ["Hel", "lo"]


async def test_what_postgresql_cannot_store_is_left_out() -> None:
    async with server(answers(HEAD, says("a\0b\x1b", "\0"), b"data: [DONE]\n\n")) as url:
        assert await ask(url) == ["ab"]


async def test_the_request_has_the_key_and_asks_for_a_stream() -> None:
    asked: list[bytes] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"}]}"))
        writer.write(HEAD + says("a") + b"data: [DONE]\n\n")

    async with server(conversation) as url:
        await ask(url, reply_tokens=7)
    body = msgspec.json.decode(asked[0])
    assert (body["model"], body["stream"], body["max_tokens"]) == ("m", True, 7)
    assert body["messages"] == [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([], id="nothing"),
        pytest.param([HEAD], id="head only"),
        pytest.param([HEAD, b"data: [DONE]\n\n"], id="empty reply"),
        pytest.param([HEAD, says("a")], id="broken off"),
        pytest.param([HEAD, says("a"), b'data: {"error": {"message": "no memory"}}\n\n'], id="error in the stream"),
        pytest.param([HEAD, b"<html>hello</html>"], id="a page"),
        pytest.param([b"nonsense\r\n\r\n"], id="no HTTP"),
        pytest.param([b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"], id="401"),
        pytest.param([b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"], id="500"),
        pytest.param([b"HTTP/1.1 307 There\r\nLocation: /v2\r\nContent-Length: 0\r\n\r\n"], id="redirect"),
    ],
)
async def test_whatever_is_no_whole_reply_is_unavailable(parts: list[bytes]) -> None:
    async with server(answers(*parts)) as url:
        with pytest.raises(LanguageModelUnavailable):
            await ask(url)


@pytest.mark.parametrize(("header", "seconds"), [("12", 12.0), ("-1", None), ("9999999", None), ("soon", None)])
async def test_a_server_with_too_much_to_do_says_when_to_come_back(header: str, seconds: float | None) -> None:
    head = f"HTTP/1.1 429 Busy\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
    async with server(answers(head.encode())) as url:
        with pytest.raises(LanguageModelUnavailable) as refused:
            await ask(url)
    assert refused.value.retry_after == seconds


async def test_the_key_is_in_no_log_even_if_the_server_quotes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"Incorrect key {KEY}".encode()
    async with server(answers(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % len(said) + said)) as url:
        with pytest.raises(LanguageModelUnavailable):
            await ask(url)
    assert "Incorrect key" in caplog.text
    assert KEY not in caplog.text


async def test_nobody_listens() -> None:
    async with server(answers()) as url:
        pass
    with pytest.raises(LanguageModelUnavailable):
        await ask(url)


async def test_a_server_that_falls_silent_is_given_up() -> None:
    async with server(silent) as url:
        with pytest.raises(LanguageModelUnavailable):
            await ask(url, idle_s=0.1)


async def test_a_server_that_drips_is_given_up() -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while not reader.at_eof() and not writer.is_closing():
            writer.write(b": wait\n")
            await asyncio.sleep(0.01)

    async with server(dripping) as url:
        with pytest.raises(LanguageModelUnavailable):
            await ask(url, reply_s=0.1)


async def test_a_reply_without_end_is_cut_and_the_server_stopped() -> None:
    gone = asyncio.Event()

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        try:
            while True:
                writer.write(says("aaa"))
                await writer.drain()
        except ConnectionError:
            gone.set()

    async with server(endless) as url:
        assert "".join(await ask(url, reply_characters=10)) == "a" * 10
        await until(gone.is_set)


async def test_closing_the_reply_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent(reader, writer)
        gone.set()

    async with server(conversation) as url:
        model = OpenAiModel(url, LanguageSettings())
        async with aclosing(model.reply(PROMPT)) as texts:
            assert await anext(texts) == "a"
        await until(gone.is_set)
        await model.close()


async def test_cancelling_whoever_waits_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent(reader, writer)
        gone.set()

    async with server(conversation) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(url)
        await until(gone.is_set)


def test_roles_alternate_and_notes_come_first_in_a_turn_of_the_user() -> None:
    prompt = Prompt(
        persona="P",
        notes=("Interests: tea",),
        history=(Turn("user", "a"), Turn("user", "b"), Turn("assistant", "c")),
        message="d",
        companion="Lumen",
        memories=("I live in Lisbon.",),
    )
    system, notes, noted, *rest = messages(prompt)
    assert system == {"role": "system", "content": "P"}
    assert notes["role"] == "user"
    assert notes["content"].splitlines()[1:] == [
        '"My companion is called Lumen"',
        '"Interests: tea"',
        '"I said before: I live in Lisbon."',
    ]
    assert noted == {"role": "assistant", "content": NOTED}
    assert [(turn["role"], turn["content"]) for turn in rest] == [("user", "a\n\nb"), ("assistant", "c"), ("user", "d")]


@given(st.text(), st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3), st.text())
def test_no_text_of_a_user_reaches_the_system_role_or_ends_its_quotation(
    companion: str, notes: list[str], memories: list[str], message: str
) -> None:
    prompt = Prompt("P", tuple(notes), (), message, companion=companion, memories=tuple(memories))
    made = messages(prompt)
    assert made[0] == {"role": "system", "content": "P"}
    assert [turn["role"] for turn in made[1:]] in (["user"], ["user", "assistant", "user"])
    assert made[-1]["content"] == message
    if len(made) > 2:
        quoted = made[1]["content"].split("\n")[1:]
        assert len(quoted) == bool(companion) + len(notes) + len(memories)
        assert all(isinstance(msgspec.json.decode(line), str) for line in quoted)
