"""A schedule of faults is drawn from its seed alone."""

from load_tests.bench.cluster.schedule import KINDS, NAMES, PAUSE_S, plan


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    assert plan(7, 100) == plan(7, 100)
    assert plan(7, 100) != plan(8, 100)


def test_every_kind_comes_before_any_comes_twice() -> None:
    for seed in range(20):
        assert {planned.kind for planned in plan(seed, len(NAMES))} == set(NAMES)


def test_kinds_come_as_often_as_their_weights_say() -> None:
    schedule = [planned.kind for planned in plan(1, 10_000)]
    weights = sum(kind.weight for kind in KINDS)
    for kind in KINDS:
        assert abs(schedule.count(kind.name) / 10_000 - kind.weight / weights) < 0.02, kind.name


def test_only_the_kinds_that_are_asked_for_are_planned() -> None:
    assert {planned.kind for planned in plan(1, 50, ["cut", "kill node"])} == {"cut", "kill node"}


def test_a_thousand_faults_are_planned_within_forty_minutes() -> None:
    pauses = [planned.pause_s for planned in plan(3, 1000)]
    assert all(PAUSE_S[0] <= pause <= PAUSE_S[1] for pause in pauses)
    assert sum(pauses) < 35 * 60
