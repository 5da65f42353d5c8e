"""hub.transport.socketio.admin.feed: what is allowed in a second."""

from hub.transport.socketio.admin.feed import Allowance


def test_an_allowance_is_so_many_a_second_and_new_in_the_next() -> None:
    now = 100.0
    allowance = Allowance(3, lambda: now)
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]
    assert allowance.left() == 0
    now = 100.999
    assert not allowance.take()
    now = 101.0
    assert allowance.left() == 3
    now = 250.0
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
