"""How long a client was away is counted without the delays that it put in itself, and for the fault that it was."""

from load_tests.bench.cluster.history import (
    AnyRecord,
    Attempted,
    AttemptFailed,
    Connected,
    Disconnected,
    Fault,
)
from load_tests.bench.cluster.recovery_times import Absence, absences, by_fault, quantile


def test_the_client_s_own_delays_are_taken_off() -> None:
    history: list[AnyRecord] = [
        Fault(900.0, 1, "cut"),
        Disconnected(1000.0, 1, "transport close"),
        Attempted(1120.0, 1),  # waited 120 ms by itself
        AttemptFailed(1150.0, 1),
        Attempted(1350.0, 1),  # and 200 more
        Connected(1380.0, 1, recovered=False),
    ]
    [absence] = absences(history)
    assert absence == Absence("cut", recovered=False, total_ms=380.0, own_delay_ms=320.0)
    assert absence.server_ms == 60.0


def test_the_first_connect_is_no_absence() -> None:
    assert absences([Attempted(1.0, 1), Connected(2.0, 1, recovered=False)]) == []


def test_a_missed_heartbeat_belongs_to_the_last_silent_fault_and_all_else_to_the_last() -> None:
    history: list[AnyRecord] = [
        Fault(1.0, 1, "black hole"),
        Fault(2.0, 2, "cut"),
        Disconnected(3.0, 1, "ping timeout"),
        Disconnected(3.0, 2, "transport close"),
        Connected(4.0, 1, recovered=True),
        Connected(4.0, 2, recovered=True),
    ]
    assert [absence.fault for absence in absences(history)] == ["black hole", "cut"]


def test_the_end_of_a_fault_counts_as_the_fault() -> None:
    history: list[AnyRecord] = [
        Fault(1.0, 1, "black hole"),
        Fault(2.0, 2, "kill node"),
        Fault(3.0, 1, "black hole", over=True),
        Disconnected(4.0, 1, "transport close"),
        Connected(5.0, 1, recovered=True),
    ]
    assert [absence.fault for absence in absences(history)] == ["black hole"]


def test_times_are_sorted_by_fault_and_by_whether_they_were_recovered() -> None:
    found = [Absence("cut", True, 30.0, 0.0), Absence("cut", True, 10.0, 0.0), Absence("cut", False, 20.0, 0.0)]
    assert by_fault(found) == {("cut", False): [20.0], ("cut", True): [10.0, 30.0]}


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0
    assert quantile([7.0], 0.5) == 7.0
