"""The adapter of language models with a real one: llama.cpp serving a small packaged model."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import aiohttp
import pytest

from core_api.companions.language import LanguageModelUnavailable, Prompt, Turn
from core_api.companions.language_openai import OpenAiModel
from core_api.companions.language_settings import LanguageSettings
from tests.support.language_server import LanguageServer, running_language_server
from tests.support.wait import until


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with running_language_server() as server:
        yield server


@pytest.fixture
async def model(server: LanguageServer) -> AsyncIterator[OpenAiModel]:
    settings = LanguageSettings(model="smollm2", key=server.key, reply_tokens=24, temperature=0.0)
    model = OpenAiModel(server.url, settings)
    yield model
    await model.close()


def prompt(message: str) -> Prompt:
    return Prompt(
        persona="You are a kind companion. Answer in one sentence.",
        notes=("Interests: the sea",),
        history=(Turn("user", "Hi!"), Turn("assistant", "Hello! How are you?")),
        message=message,
        companion="Lumen",
        memories=("I live in Lisbon.",),
        seed=7,
    )


async def busy(server: LanguageServer) -> int:
    """How many replies the server is writing."""
    headers = {"Authorization": f"Bearer {server.key}"}
    address = server.url.removesuffix("/v1") + "/slots"
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as response:
        return sum(slot["is_processing"] for slot in await response.json())


async def test_a_model_streams_a_reply_in_several_chunks(model: OpenAiModel) -> None:
    chunks = [chunk async for chunk in model.reply(prompt("Say hello to Ada."))]
    assert len(chunks) > 3
    assert all(chunks)
    assert "".join(chunks).strip()


async def test_the_same_prompt_gives_the_same_reply_at_temperature_0(model: OpenAiModel) -> None:
    replies = ["".join([chunk async for chunk in model.reply(prompt("Name a colour."))]) for _ in range(2)]
    assert replies[0] == replies[1]


async def test_closing_a_reply_stops_the_server(server: LanguageServer) -> None:
    model = OpenAiModel(server.url, LanguageSettings(key=server.key, reply_tokens=2_000))
    started = time.monotonic()
    async with aclosing(model.reply(prompt("Tell me a very long story about the sea."))) as chunks:
        assert await anext(chunks)
        assert await busy(server) == 1

    async def idle() -> bool:
        return await busy(server) == 0

    await until(idle)
    assert time.monotonic() - started < 10  # two thousand words take half a minute
    await model.close()


async def test_a_wrong_key_is_refused(server: LanguageServer) -> None:
    model = OpenAiModel(server.url, LanguageSettings(key="wrong"))
    with pytest.raises(LanguageModelUnavailable):
        await anext(model.reply(prompt("Hello")))
    await model.close()
