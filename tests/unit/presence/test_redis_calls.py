"""Outages of Redis, as presence sees them."""

import pytest

from hub.kernel.errors import Unavailable
from presence.redis_calls import answer


@pytest.mark.parametrize("error", [ConnectionResetError(), RuntimeError("the handler is closed")], ids=["os", "uvloop"])
async def test_a_connection_that_was_lost_just_now_is_an_outage_whichever_word_the_loop_has_for_it(
    error: Exception,
) -> None:
    async def reply() -> None:
        raise error

    with pytest.raises(Unavailable):
        await answer(reply())
