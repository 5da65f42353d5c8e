"""The rules of transactions: whatever the chain shows, in whatever order, each state is one that may follow."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_api.chain.schema import Fault, State
from core_api.chain.transactions import (
    NEXT,
    UNFINISHED,
    Sighting,
    Signed,
    Transaction,
    View,
    event_of,
    found_done,
    observed,
    pause_s,
    refused,
    signed,
)
from hub.kernel.ids import UserId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Transaction(
    id="9b2f0c8e-0000-4000-8000-000000000000",
    number=1,
    deployment_id=1,
    chain_id=31337,
    owner_id=UserId("me"),
    kind="mint",
    key="mint:1",
    arguments={},
    state="queued",
    created_at=NOW,
    updated_at=NOW,
)
NONCE = 7
SUBMITTED = signed(QUEUED, "0xsender", NONCE, Signed(b"raw", "0xhash"), NOW)


def seen(block: int, *, succeeded: bool = True, block_hash: str = "0xb") -> Sighting:
    return Sighting(block_number=block, block_hash=block_hash, succeeded=succeeded, contract="0xnft", token_id="3")


def look(transaction: Transaction, view: View, confirmations: int = 3) -> Transaction:
    return observed(transaction, view, confirmations=confirmations, now=NOW + timedelta(seconds=1))


def test_a_result_counts_from_its_third_block_on() -> None:
    mined = look(SUBMITTED, View(head=11, settled_nonce=NONCE, sighting=seen(10)))
    assert mined.state == "mined"
    confirmed = look(mined, View(head=12, settled_nonce=NONCE + 1, sighting=seen(10)))
    assert (confirmed.state, confirmed.token_id, confirmed.block_number) == ("confirmed", "3", 10)


def test_a_failure_in_a_block_is_none_before_its_third_block_either() -> None:
    mined = look(SUBMITTED, View(head=10, settled_nonce=NONCE, sighting=seen(10, succeeded=False)))
    assert mined.state == "mined"
    assert look(mined, View(head=12, settled_nonce=NONCE + 1, sighting=seen(10, succeeded=False))).state == "failed"
    assert look(mined, View(head=11, settled_nonce=NONCE, sighting=seen(11, block_hash="0xc"))).state == "mined"


def test_a_block_that_is_replaced_takes_its_transaction_back_and_the_bytes_stay() -> None:
    mined = look(SUBMITTED, View(head=10, settled_nonce=NONCE, sighting=seen(10)))
    gone = look(mined, View(head=11, settled_nonce=NONCE, sighting=None))
    assert gone == msgspec.structs.replace(SUBMITTED, updated_at=gone.updated_at)
    moved = look(mined, View(head=11, settled_nonce=NONCE, sighting=seen(11, block_hash="0xc")))
    assert (moved.state, moved.block_hash) == ("mined", "0xc")


def test_a_nonce_that_another_transaction_has_settled_is_taken_anew() -> None:
    displaced = look(SUBMITTED, View(head=20, settled_nonce=NONCE + 1, sighting=None))
    assert displaced == msgspec.structs.replace(QUEUED, updated_at=displaced.updated_at)
    assert look(SUBMITTED, View(head=20, settled_nonce=NONCE, sighting=None)) is SUBMITTED


def test_what_shows_nothing_new_changes_nothing() -> None:
    mined = look(SUBMITTED, View(head=10, settled_nonce=NONCE, sighting=seen(10)))
    assert look(mined, View(head=11, settled_nonce=NONCE, sighting=seen(10))) is mined


def test_a_failure_before_signing_has_neither_nonce_nor_hash() -> None:
    fault = Fault(code="AlreadyMinted", message="execution reverted")
    failed = refused(QUEUED, fault, NOW)
    assert (failed.state, failed.nonce, failed.hash, failed.error) == ("failed", None, None, fault)
    done = found_done(QUEUED, "0xnft", "9", NOW)
    assert (done.state, done.token_id, done.hash) == ("confirmed", "9", None)


def test_what_is_over_does_not_move() -> None:
    failed = refused(QUEUED, Fault(code="x", message="y"), NOW)
    with pytest.raises(ValueError, match="failed"):
        signed(failed, "0xsender", 1, Signed(b"", ""), NOW)


VIEWS = st.builds(
    View,
    head=st.integers(0, 20),
    settled_nonce=st.integers(NONCE - 2, NONCE + 2),
    sighting=st.none()
    | st.builds(
        Sighting,
        block_number=st.integers(0, 20),
        block_hash=st.sampled_from(["0xa", "0xb"]),
        succeeded=st.booleans(),
        contract=st.just("0xnft"),
        token_id=st.just("3"),
    ),
)


@given(views=st.lists(VIEWS, max_size=12), confirmations=st.integers(1, 4))
def test_any_chain_leads_from_state_to_allowed_state(views: list[View], confirmations: int) -> None:
    transaction = SUBMITTED
    for view in views:
        before = transaction
        transaction = look(before, view, confirmations)
        assert transaction.state == before.state or transaction.state in NEXT[before.state]
        assert (transaction.nonce is None) == (transaction.raw is None) == (transaction.hash is None)
        if transaction.raw is not None:
            assert (transaction.nonce, transaction.raw) == (SUBMITTED.nonce, SUBMITTED.raw)
        if transaction.state in {"confirmed", "failed"}:
            assert view.sighting is not None
            assert view.head - view.sighting.block_number + 1 >= confirmations
        if transaction.state == "submitted":
            assert transaction.block_hash is None
        if transaction.state not in UNFINISHED or transaction.state == "queued":
            break


@given(st.integers(0, 10_000))
def test_pauses_grow_and_stay_below_the_longest(attempts: int) -> None:
    pause = pause_s(attempts, first_s=0.1, longest_s=15)
    assert 0.1 <= pause <= pause_s(attempts + 1, first_s=0.1, longest_s=15) <= 15


@pytest.mark.parametrize("state", ["confirmed", "failed", "orphaned"])
def test_the_last_states_lead_nowhere_but_to_an_orphan(state: State) -> None:
    assert NEXT[state] <= {"orphaned"}


def test_the_event_has_what_the_wire_promises() -> None:
    event = event_of(SUBMITTED)
    assert (event.event, event.transaction_id, event.state) == ("chain:transaction", SUBMITTED.id, "submitted")
    assert event.hash == "0xhash"
