"""Nodes are killed at every step of a mint: each post gets one token, and no signature is wasted."""

from collections import Counter
from pathlib import Path

import asyncpg

from tests.support.mint_kills import mint_under_fire

MINTS, DEATHS = 10, 14
"""Deaths of each of the two nodes, at most; the deployment of the contracts, before the first mint, has its share. On a
busy machine one node may do everything while the other still starts anew."""
DELICATE = {"in sign", "after sign", "before send", "after send", "after add"}
"""Steps between which a mint could be doubled or lost. Which node gets how far is chance, so not every run has all."""


async def test_ten_mints_with_nodes_killed_at_every_step_make_ten_tokens(
    pool: asyncpg.Pool, database_url: str, chain_url: str, tmp_path: Path
) -> None:
    report = await mint_under_fire(pool, database_url, chain_url, tmp_path / "key", mints=MINTS, deaths=DEATHS)
    assert len(report.deaths) >= DEATHS // 2, report.deaths
    assert len(DELICATE & set(report.deaths)) >= 3, report.deaths
    assert Counter(row.state for row in report.rows) == {"confirmed": MINTS}
    assert report.tokens == MINTS
    assert {row.arguments["postId"]: row.token_id for row in report.rows} == report.token_of_post
    assert report.transactions == report.signed
    assert await pool.fetchval("SELECT count(*) FROM chain_deployment") == 1
