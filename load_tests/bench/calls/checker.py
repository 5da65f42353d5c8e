"""What a schedule must not have shown. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from load_tests.bench.calls.handset import Handset, Seen
from signaling.call.model import Call, Change, Part

ONE_CHANGE = (
    frozenset({"call:accepted", "call:cancelled"}),
    frozenset({"call:ended", "call:cancelled"}),
    frozenset({"call:state", "call:cancelled"}),
)
"""Events that tell of the same change: to legs, and to the other devices of whoever accepted, left or moved."""


def faults(
    seen: Sequence[Seen],
    calls: Mapping[str, Call | None],
    logs: Mapping[str, Sequence[Change]],
    kept: Mapping[str, int],
    left_over: Sequence[str],
) -> list[str]:
    """What is wrong after everybody has hung up and every deadline has passed; nothing if all is well.

    ``calls`` and ``logs`` are what the store has of every call that was placed, ``kept`` how many entries the history
    has, ``left_over`` deadlines, pairs and debts that are still there.
    """
    return [
        *_stuck(calls, left_over),
        *_answered_twice(seen, logs),
        *_ghosts(seen),
        *_versions(seen),
        *_history(calls, kept),
    ]


def late(devices: Iterable[Handset], calls: Mapping[str, Call | None]) -> list[str]:
    """What devices believe that is not so, when all are back and whatever was owed is told, before any deadline."""
    found = []
    for device in devices:
        for call_id, where in device.calls.items():
            if where != "over" and not _is_so(device, calls.get(call_id), where):
                found.append(f"late: {device.name} {where} {call_id}")
    return found


def _is_so(device: Handset, call: Call | None, where: str) -> bool:
    member = None if call is None or call.is_over else call.member(device.user_id)
    if member is None:
        return False
    return member.state is Part.RINGING if where == "rings" else member.joined and member.session == device.name


def _stuck(calls: Mapping[str, Call | None], left_over: Sequence[str]) -> list[str]:
    going_on = [call_id for call_id, call in calls.items() if call is not None and not call.is_over]
    return [f"stuck: {call_id}" for call_id in going_on] + [f"left over: {what}" for what in left_over]


def _answered_twice(seen: Sequence[Seen], logs: Mapping[str, Sequence[Change]]) -> list[str]:
    found = []
    for call_id, log in logs.items():
        versions = [change.version for change in log]
        if versions != sorted(set(versions)):
            found.append(f"versions: {call_id} {versions}")
        if sum(change.kind == "ended" for change in log) > 1:
            found.append(f"ended twice: {call_id}")
        # Who left a group may join again, with another device.
        joins = Counter(change.by for change in log if change.kind == "accepted")
        devices: defaultdict[str, set[str]] = defaultdict(set)
        for one in seen:
            if one.what == "accepted" and one.call_id == call_id:
                devices[one.user_id].add(one.device)
        for user_id, answered in devices.items():
            if len(answered) > joins[user_id]:
                found.append(f"answered {joins[user_id]} times: {call_id} by {sorted(answered)}")
    return found


def _ghosts(seen: Sequence[Seen]) -> list[str]:
    """Devices that ring, or believe to be in a call, when all is over."""
    last: dict[tuple[str, str], str] = {}
    for one in seen:
        if one.what in ("rings", "in", "over"):
            last[one.device, one.call_id] = one.what
    return [f"ghost: {device} {where} {call_id}" for (device, call_id), where in last.items() if where != "over"]


def _versions(seen: Sequence[Seen]) -> list[str]:
    """A version of a call is one change, and a device is told of it once."""
    events: defaultdict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for one in seen:
        if one.what == "call:incoming":
            # Whoever ends a call that is only being placed may have told so before it rang. It is told again then.
            for (device, call_id, _), what in events.items():
                if (device, call_id) == (one.device, one.call_id):
                    what.pop("call:cancelled", None)
        if one.what.startswith("call:"):
            events[one.device, one.call_id, one.version][one.what] += 1
    found = []
    for key, what in events.items():
        if len(what) > 1 and frozenset(what) not in ONE_CHANGE:
            found.append(f"two events of one version: {key} {sorted(what)}")
        # A signal that its sender repeats to another node may have been told by the first.
        twice = [event for event, times in what.items() if times > 1 and event != "call:signal"]
        if twice:
            found.append(f"told twice: {key} {twice}")
    return found


def _history(calls: Mapping[str, Call | None], kept: Mapping[str, int]) -> list[str]:
    found = []
    for call_id, call in calls.items():
        wanted = 0 if call is None or call.reason == "replaced" else 1
        if kept.get(call_id, 0) != wanted:
            found.append(f"history: {call_id} {kept.get(call_id, 0)} times instead of {wanted}")
    return found
