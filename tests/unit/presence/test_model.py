"""The rules of presence: what devices add up to, and what others see of it."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.events import DeviceKind
from hub.kernel.ids import UserId
from hub.kernel.sight import Visibility
from presence.model import CLOCKS_AGREE_MS, MAX_DEVICES, PARTS, Device, Record, Status, View, merge, part_of

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


@given(st.integers(0, 60))
def test_a_view_names_the_devices_that_were_used_last_and_no_more_than_a_few(count: int) -> None:
    many = tuple(Device(f"d{number:02}", "web", Status.ONLINE, 0, number) for number in range(count))
    named = Record(ANN, devices=many).own().devices
    assert named == many[-MAX_DEVICES:]
    strong = Device("strong", "web", Status.DND, 0, 0)
    assert Record(ANN, devices=(*many, strong)).own().status is Status.DND


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


times = st.integers(0, 2**43)


@given(records, times)
def test_whoever_may_see_nothing_sees_what_they_would_of_somebody_unknown(record: Record, now_ms: int) -> None:
    assert record.seen(Visibility.NOTHING, now_ms) == Record(ANN).seen(Visibility.EVERYTHING, now_ms) == View(ANN)


@given(records, times, st.sampled_from(Visibility))
def test_nobody_else_sees_more_than_what_is_shown(record: Record, now_ms: int, visibility: Visibility) -> None:
    view, shown = record.seen(visibility, now_ms), record.shown()
    assert view.status in (shown.status, Status.OFFLINE)
    assert view.status is not Status.INVISIBLE
    without_activity = {msgspec.structs.replace(one, active_ms=0) for one in shown.devices}
    assert set(view.devices) <= set(shown.devices) | without_activity
    assert visibility is Visibility.EVERYTHING or set(view.devices) <= without_activity
    assert view.text in (shown.text, None)
    assert view.last_seen_ms in (shown.last_seen_ms, None)
    assert (view == shown) >= (visibility is Visibility.EVERYTHING)


@given(records, times, times)
def test_nothing_that_changes_with_the_time_of_going_tells_it_to_whoever_may_not_know(
    record: Record, went_ms: int, later_ms: int
) -> None:
    gone = msgspec.structs.replace(record, devices=(), shown_version=went_ms + 1, shown_last_seen_ms=went_ms)
    earlier = msgspec.structs.replace(gone, shown_version=went_ms // 2 + 1, shown_last_seen_ms=went_ms // 2)
    now_ms = went_ms + 1 + CLOCKS_AGREE_MS + later_ms
    assert gone.seen(Visibility.STATUS, now_ms) == earlier.seen(Visibility.STATUS, now_ms)


@given(records, times, times)
def test_what_is_seen_without_last_seen_is_newer_than_what_was_and_older_than_what_comes(
    record: Record, now_ms: int, passed_ms: int
) -> None:
    was = msgspec.structs.replace(record, shown_version=min(record.shown_version, now_ms + CLOCKS_AGREE_MS))
    seen = was.seen(Visibility.STATUS, now_ms)
    # As the store gives it: the time by the clock of some node, but above the version before.
    next_version = max(was.shown_version + 1, now_ms + passed_ms - CLOCKS_AGREE_MS + 1)
    assert was.shown_version <= seen.version < next_version
    assert seen.last_seen_ms is None


def test_somebody_who_was_never_seen_has_no_version_for_anybody() -> None:
    hidden = Record(ANN, version=7, last_seen_ms=5, devices=(device("web", Status.INVISIBLE),))
    assert hidden.seen(Visibility.STATUS, 10**9) == hidden.seen(Visibility.EVERYTHING, 10**9) == View(ANN)


@given(records, times.map(lambda time: time + 1), times, st.sampled_from(Visibility))
def test_what_is_told_anew_is_newer_than_all_before_and_older_than_what_comes(
    record: Record, now_ms: int, told: int, visibility: Visibility
) -> None:
    was = msgspec.structs.replace(record, shown_version=min(record.shown_version, now_ms))
    told = min(told, now_ms)
    view = was.seen_anew(visibility, now_ms, above=told)
    assert view.version > max(was.shown_version, told)
    assert view == msgspec.structs.replace(was.seen(visibility, now_ms), version=view.version)
    assert view.version <= now_ms + 1  # and nobody chooses twice in a millisecond


@given(records, records, times.map(lambda time: time + 1))
def test_the_version_of_absence_is_the_same_whatever_is_hidden(one: Record, other: Record, now_ms: int) -> None:
    hidden = [
        msgspec.structs.replace(record, shown_version=min(record.shown_version, now_ms)) for record in (one, other)
    ]
    views = [record.seen_anew(Visibility.NOTHING, now_ms, above=0) for record in hidden]
    assert views[0] == views[1]


def test_there_is_nothing_to_tell_of_who_was_never_seen() -> None:
    for visibility in Visibility:
        assert Record(ANN).seen_anew(visibility, 10**12, above=0) == View(ANN)


def test_a_version_that_was_told_is_not_gone_back_from() -> None:
    assert View(ANN, version=7).at_least(9).version == View(ANN, version=9).at_least(7).version == 9
    assert View(ANN).at_least(9) == View(ANN)
