"""An engine in a process of its own that is killed again and again: `python -m tests.support.mint_worker`.

The process imports everything once and forks; each child is one life of a node. A child draws its death, kills itself
with SIGKILL, and a new one begins. After the given number of deaths the last one lives.
"""

import argparse
import asyncio
import contextlib
import ctypes
import itertools
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import eth_account  # noqa: F401 before the fork, so that a life begins in milliseconds

from core_api.chain.contract_abi import load_all
from hub.storage.postgres import create_pool
from tests.support.mints import FAST, at_work, chain_node, rpc_ledger

STEPS = (
    *("after add", "after claim", "before sign", "in sign", "after sign", "before send", "after send"),
    *("after receipt", "before save", "after save", "after complete", "before postpone"),
)
"""Each of them ends one life first, where it comes to that; the later lives end anywhere."""
PR_SET_PDEATHSIG = 1
MOST_STEPS = 150
"""A life with a random end is so long at most: some ten transactions."""


class Fate:
    """When this life ends: at a named step, or after so many steps of any name."""

    def __init__(self, step: str | None, count: int) -> None:
        self._step = step
        self._count = count

    def pass_(self, step: str) -> None:
        """Go on, or die."""
        self._count -= 1
        if step == self._step or self._count == 0:
            os.write(1, f"killed {step}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """Does what `part` does, and may die before and after each of its calls."""

    def __init__(self, part: Any, fate: Fate) -> None:
        self._part = part
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            # The signer works in the middle of the store's transaction, between the nonce and the commit.
            self._fate.pass_("in sign" if "nonce" in named else f"before {name}")
            result = await method(*arguments, **named)
            self._fate.pass_(f"after {name}")
            return result

        return call


async def live(arguments: argparse.Namespace, fate: Fate) -> None:
    """Be a node until death."""
    settings = FAST
    pool = await create_pool(arguments.database, size=10)
    async with rpc_ledger(arguments.chain, settings) as ledger:
        node = chain_node(pool, ledger, arguments.key, settings, around=lambda part: Mortal(part, fate))
        async with at_work(node):
            await asyncio.Event().wait()


def main() -> None:
    """Live and die."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True)
    parser.add_argument("--chain", required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--deaths", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    _die_with_parent(signal.SIGTERM)
    load_all()
    # Two workers begin at different steps, so that each of the first deaths meets another state.
    steps = itertools.islice(itertools.cycle(STEPS), arguments.seed % len(STEPS), None)

    def stop(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        sys.exit(0)

    for number in itertools.count():
        named = next(steps) if number < len(STEPS) else None
        fate = Fate(named, 3 * MOST_STEPS if named else dice.randint(1, MOST_STEPS))
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _die_with_parent(signal.SIGKILL)
            asyncio.run(live(arguments, fate if number < arguments.deaths else Fate(None, -1)))
        signal.signal(signal.SIGTERM, stop)
        os.waitpid(child, 0)


def _die_with_parent(number: signal.Signals) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


if __name__ == "__main__":
    main()
