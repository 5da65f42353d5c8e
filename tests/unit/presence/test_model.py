"""The rules of presence: what devices add up to, and what others see of it."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.events import DeviceKind
from hub.kernel.ids import UserId
from presence.model import PARTS, Device, Record, Status, merge, part_of

ANN = UserId("ann")
CHOSEN = [status for status in Status if status is not Status.OFFLINE]

KINDS: list[DeviceKind] = ["desktop", "mobile", "web", "other"]

moments = st.integers(1, 2**42)
devices = st.lists(
    st.builds(
        Device, st.text(max_size=8), st.sampled_from(KINDS), st.sampled_from(CHOSEN), moments, moments, st.booleans()
    ),
    max_size=6,
    unique_by=lambda device: (device.name, device.kind),
)
records = st.builds(
    Record,
    st.just(ANN),
    version=moments,
    last_seen_ms=moments,
    shown_version=moments,
    shown_last_seen_ms=moments,
    text=st.text(max_size=20),
    text_until_ms=st.just(0) | moments,
    devices=devices.map(tuple),
)


def device(name: str, chosen: Status, *, idle: bool = False) -> Device:
    return Device(name, "web", chosen, 0, 0, idle)


@given(devices, st.randoms())
def test_the_order_of_devices_does_not_matter(some: list[Device], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # st.randoms() has no public type
    one, other = Record(ANN, devices=tuple(some)), Record(ANN, devices=tuple(shuffled))
    assert one.own() == other.own()
    assert one.shown() == other.shown()


def test_without_devices_a_user_is_offline_and_was_never_seen() -> None:
    view = Record(ANN).shown()
    assert (view.status, view.version, view.last_seen_ms) == (Status.OFFLINE, 0, None)
    assert view == Record(ANN).own()


@given(devices.filter(bool))
def test_with_a_device_a_user_is_not_offline_to_himself(some: list[Device]) -> None:
    assert merge(some) in {device.status for device in some}


@given(devices.filter(bool))
def test_removing_a_device_never_makes_the_status_stronger(some: list[Device]) -> None:
    for device in some:
        assert merge([other for other in some if other is not device]) <= merge(some)


def test_do_not_disturb_outweighs_busy_online_and_away() -> None:
    order = [Status.OFFLINE, Status.AWAY, Status.ONLINE, Status.BUSY, Status.DND, Status.INVISIBLE]
    for weaker, stronger in pairwise(order[1:]):
        assert merge([device("a", weaker), device("b", stronger)]) is stronger
    assert sorted(Status) == order


@given(records, st.text(max_size=8))
def test_invisible_on_any_device_looks_exactly_like_offline_to_others(record: Record, name: str) -> None:
    others = tuple(device for device in record.devices if device.name != name)
    hidden = msgspec.structs.replace(record, devices=(*others, device(name, Status.INVISIBLE)))
    gone = Record(ANN, shown_version=record.shown_version, shown_last_seen_ms=record.shown_last_seen_ms)
    assert hidden.shown() == gone.shown()
    assert hidden.own().status is Status.INVISIBLE


def test_idleness_turns_online_into_away_and_leaves_alone_what_was_chosen_with_intent() -> None:
    for chosen in CHOSEN:
        idle = device("a", chosen, idle=True).status
        assert idle is (Status.AWAY if chosen is Status.ONLINE else chosen)
        assert device("a", chosen).status is chosen


@given(devices.filter(bool))
def test_idleness_never_makes_the_status_stronger_and_one_device_in_use_outweighs_it(some: list[Device]) -> None:
    idle = [msgspec.structs.replace(one, idle=True) for one in some]
    used = [msgspec.structs.replace(one, idle=False) for one in some]
    assert merge(idle) <= merge(some) <= merge(used)
    assert merge([*idle, device("used", Status.ONLINE)]) >= Status.ONLINE


@given(records, moments)
def test_a_text_is_there_until_its_end_and_not_at_it(record: Record, now_ms: int) -> None:
    at = record.at(now_ms)
    is_over = record.text_until_ms != 0 and record.text_until_ms <= now_ms
    assert (at.text, at.text_until_ms) == (("", 0) if is_over else (record.text, record.text_until_ms))
    assert msgspec.structs.replace(at, text=record.text, text_until_ms=record.text_until_ms) == record


@given(records)
def test_the_view_of_others_has_nothing_of_the_own_version_and_last_seen(record: Record) -> None:
    shown = record.shown()
    assert (shown.version, shown.last_seen_ms) == (record.shown_version, record.shown_last_seen_ms)


@given(st.text())
def test_every_user_has_one_part(user_id: str) -> None:
    assert part_of(UserId(user_id)) == part_of(UserId(user_id))
    assert 0 <= part_of(UserId(user_id)) < PARTS


def test_users_spread_over_all_parts() -> None:
    assert {part_of(UserId(f"user {number}")) for number in range(500)} == set(range(PARTS))
