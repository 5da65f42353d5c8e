"""hub.transport.outages: what a client is told when PostgreSQL or Redis fails."""

import asyncpg
import pytest
import redis.exceptions

from hub.kernel.errors import HubError, InvalidPayload, NotFound, Unavailable
from hub.transport.outages import as_hub_error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        redis.exceptions.ConnectionError(),
        redis.exceptions.ReadOnlyError("READONLY You can't write against a read only replica."),
        redis.exceptions.ResponseError("LOADING Redis is loading the dataset in memory"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.DiskFullError("disk full"),
        asyncpg.ReadOnlySQLTransactionError("read only"),
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
    ],
)
def test_an_outage_is_unavailable(error: Exception) -> None:
    assert type(as_hub_error(error)) is Unavailable


@pytest.mark.parametrize("error", [asyncpg.DataError("out of range"), asyncpg.CharacterNotInRepertoireError("0x00")])
def test_a_value_that_cannot_be_stored_is_its_senders(error: Exception) -> None:
    assert type(as_hub_error(error)) is InvalidPayload


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("x"), asyncpg.UndefinedTableError("x")])
def test_a_bug_is_not_dressed_up(error: Exception) -> None:
    assert as_hub_error(error) is None


def test_what_is_meant_for_the_client_passes() -> None:
    error: HubError = NotFound()
    assert as_hub_error(error) is error
