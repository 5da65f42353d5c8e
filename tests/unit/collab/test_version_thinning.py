"""Which automatic versions stay."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from collab.versions.model import superfluous
from hub.kernel.clock import from_ms

NOW = from_ms(1_800_000_000_000)
Row = tuple[str, datetime, int]

rows = st.lists(st.tuples(st.integers(0, 200 * 86_400), st.integers(1, 100)), max_size=60).map(
    lambda found: [
        (str(number), NOW - timedelta(seconds=age), size) for number, (age, size) in enumerate(sorted(found))
    ]
)


def kept(versions: list[Row], *, at_most: int = 1000, most_bytes: int = 10**9) -> list[Row]:
    gone = superfluous(versions, NOW, at_most=at_most, most_bytes=most_bytes)
    return [row for row in versions if row[0] not in gone]


@given(rows)
def test_all_of_the_last_hours_stay_and_of_each_older_day_the_newest(versions: list[Row]) -> None:
    left = kept(versions)
    assert [row for row in versions if NOW - row[1] <= timedelta(hours=6)] == [
        row for row in left if NOW - row[1] <= timedelta(hours=6)
    ]
    for row in versions:
        if timedelta(days=2) < NOW - row[1] <= timedelta(days=60):
            day = int(row[1].timestamp()) // 86_400
            of_day = [one for one in left if int(one[1].timestamp()) // 86_400 == day]
            assert of_day, "a day on which somebody worked has a version"


@given(rows, st.integers(1, 5), st.integers(1, 300))
def test_there_are_never_more_than_allowed_and_the_newest_stays(
    versions: list[Row], at_most: int, most_bytes: int
) -> None:
    left = kept(versions, at_most=at_most, most_bytes=most_bytes)
    assert len(left) <= at_most
    assert len(left) == 1 or sum(size for _, _, size in left) <= most_bytes
    assert left[:1] == versions[:1]


@given(rows)
def test_thinning_what_was_thinned_takes_nothing_more(versions: list[Row]) -> None:
    left = kept(versions)
    assert kept(left) == left
