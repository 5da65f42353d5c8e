"""What a schedule must not have shown. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from load_tests.bench.calls.devices import Seen
from signaling.call.model import Call, Change


def faults(
    seen: Sequence[Seen],
    calls: Mapping[str, Call | None],
    logs: Mapping[str, Sequence[Change]],
    kept: Mapping[str, int],
    left_over: Sequence[str],
) -> list[str]:
    """What is wrong after everybody has hung up and every deadline has passed; nothing if all is well.

    ``calls`` and ``logs`` are what the store has of every call that was placed, ``kept`` how many entries the history
    has, ``left_over`` deadlines and pairs that are still there.
    """
    return [
        *_stuck(calls, left_over),
        *_answered_twice(seen, logs),
        *_ghosts(seen),
        *_versions(seen),
        *_history(calls, kept),
    ]


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
    """One version of a call is one kind of event at a device, though it may come twice."""
    kinds: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for one in seen:
        if one.what.startswith("call:"):
            kinds[one.device, one.call_id, one.version].add(one.what)
    # An acceptance and the end of the ringing elsewhere are one change; so are an end, and an invitation.
    return [
        f"two events of one version: {key} {sorted(what)}"
        for key, what in kinds.items()
        if len(what) > 1
        and not what <= {"call:accepted", "call:cancelled", "call:ended", "call:state", "call:incoming"}
    ]


def _history(calls: Mapping[str, Call | None], kept: Mapping[str, int]) -> list[str]:
    found = []
    for call_id, call in calls.items():
        wanted = 0 if call is None or call.reason == "replaced" else 1
        if kept.get(call_id, 0) != wanted:
            found.append(f"history: {call_id} {kept.get(call_id, 0)} times instead of {wanted}")
    return found
