"""Mints while nodes are killed: `python -m load_tests.bench.mint_kills --mints 200`. Exits with 1 for a lost or a
second token.

PostgreSQL and the chain are real, in processes of their own; two nodes' engines run in processes that die by SIGKILL at
named and at random steps. Each mint is asked for twice at once. Bounded: 60 s and 2 s for each mint.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hub.storage.postgres import create_pool
from tests.support.chain import ENGINES, running_chain
from tests.support.mint_kills import Report, mint_under_fire
from tests.support.servers import running_servers


async def _mint(database_url: str, chain_url: str, key: Path, arguments: argparse.Namespace) -> Report:
    pool = await create_pool(database_url, size=8)
    async with pool:
        return await mint_under_fire(
            pool, database_url, chain_url, key, mints=arguments.mints, deaths=arguments.deaths, seed=arguments.seed
        )


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mints", type=int, default=200)
    parser.add_argument("--deaths", type=int, default=100, help="of each of the two nodes, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_servers() as servers,
        servers.fresh_database() as database_url,
        running_chain(arguments.engine) as chain,
    ):
        report = asyncio.run(_mint(database_url, chain.url, Path(folder) / "key", arguments))
    states = Counter(row.state for row in report.rows)
    mine = {row.arguments["postId"]: row.token_id for row in report.rows}
    print(f"{report.mints} mints, {len(report.deaths)} deaths, {report.seconds:.1f} s, {dict(states)}")
    print(f"{report.tokens} tokens on the chain; {report.transactions} transactions of {report.signed} signed")
    print("deaths by step:", ", ".join(f"{step} {count}" for step, count in Counter(report.deaths).most_common()))
    if report.tokens != report.mints or mine != report.token_of_post or report.transactions != report.signed:
        sys.exit("a mint is lost, twice, or was signed in vain")


if __name__ == "__main__":
    main()
