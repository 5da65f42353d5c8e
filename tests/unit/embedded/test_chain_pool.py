"""The pool of the chain in memory: the order of nonces, replacements, refusals in geth's words."""

from dataclasses import dataclass

import pytest

from hub.embedded.chain_json import RpcError
from hub.embedded.chain_pool import Pool

ALICE, BOB = b"a" * 20, b"b" * 20


@dataclass
class Sent:
    nonce: int
    sender: bytes = ALICE
    max_fee_per_gas: int = 100
    max_priority_fee_per_gas: int = 10

    @property
    def hash(self) -> bytes:
        return repr(self).encode()


class Chain:
    """Gives a block to all that are ready."""

    def __init__(self) -> None:
        self.nonces = {ALICE: 0, BOB: 0}
        self.mined: list[Sent] = []

    def mine(self, pool: Pool) -> list[Sent]:
        mined = []
        for sent in pool.ready(lambda sender: self.nonces[sender]):
            self.nonces[sent.sender] += 1
            mined.append(sent)
        return mined


def test_what_is_ahead_of_its_turn_waits_for_the_gap_to_close() -> None:
    pool, chain = Pool(), Chain()
    pool.add(Sent(2), 0)
    pool.add(Sent(1), 0)
    assert chain.mine(pool) == []
    assert pool.next_nonce(ALICE, 0) == 0
    pool.add(Sent(0), 0)
    assert pool.next_nonce(ALICE, 0) == 3
    assert chain.mine(pool) == [Sent(0), Sent(1), Sent(2)]
    assert pool.find(Sent(1).hash) is None


def test_senders_do_not_wait_for_each_other() -> None:
    pool, chain = Pool(), Chain()
    pool.add(Sent(1), 0)
    pool.add(Sent(0, BOB), 0)
    assert chain.mine(pool) == [Sent(0, BOB)]
    assert pool.find(Sent(1).hash) == Sent(1)


def test_a_replacement_pays_a_tenth_more_of_both_fees() -> None:
    pool, chain = Pool(), Chain()
    pool.add(Sent(0), 0)
    for fees in ((110, 10), (100, 11), (109, 11)):
        with pytest.raises(RpcError, match="replacement transaction underpriced"):
            pool.add(Sent(0, ALICE, *fees), 0)
    better = Sent(0, ALICE, 110, 11)
    pool.add(better, 0)
    assert chain.mine(pool) == [better]


def test_refusals_have_the_words_that_clients_know() -> None:
    pool = Pool()
    pool.add(Sent(5), 5)
    with pytest.raises(RpcError, match=r"^already known$"):
        pool.add(Sent(5), 5)
    with pytest.raises(RpcError, match=r"^nonce too low: next nonce 5, tx nonce 4$"):
        pool.add(Sent(4), 5)
    with pytest.raises(RpcError, match=r"^nonce too high"):
        pool.add(Sent(70), 5)


def test_the_pool_is_bounded() -> None:
    pool = Pool()
    for number in range(64):
        for nonce in range(64):
            pool.add(Sent(nonce, bytes([number]) * 20), 0)
    with pytest.raises(RpcError, match=r"^txpool is full$"):
        pool.add(Sent(0, b"z" * 20), 0)


def test_what_a_block_already_has_is_dropped() -> None:
    pool, chain = Pool(), Chain()
    pool.add(Sent(1), 0)
    chain.nonces[ALICE] = 2  # by a block that another sent
    assert chain.mine(pool) == []
    assert pool.find(Sent(1).hash) is None
