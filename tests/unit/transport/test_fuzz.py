"""load_tests.fuzz_transport: its short form, and that it finds what it looks for."""

import dataclasses
from collections.abc import Callable
from random import Random

import pytest

from hub.transport.engineio.websocket import FrameReader, Message, frame
from load_tests.fuzz import targets
from load_tests.fuzz.mutation import cut, mutate
from load_tests.fuzz.run import Finding, fuzz
from load_tests.fuzz.targets import TARGETS, Target
from load_tests.fuzz_transport import main

INPUTS = 2_000
OUTCOMES = {
    "frames": {"taken", "refused 1002", "refused 1007", "refused 1009"},
    "payloads": {"taken", "refused 1002", "refused 1007"},
    "json packets": {"taken", "refused", "half a character", "too deep to be written"},
    "msgpack packets": {"taken", "refused"},
    "handshakes": {"taken", "refused", "no handshake"},
}
"""Each has to come about: otherwise the inputs are too wild, or too tame, to say anything."""

by_name = {target.name: target for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_breaks_a_promise_and_every_outcome_comes_about(target: Target) -> None:
    report = fuzz(target, INPUTS, seed=1)
    assert report.outcomes.total() == INPUTS
    assert set(report.outcomes) == OUTCOMES[target.name]
    assert report.outcomes["taken"] > INPUTS / 10


def test_the_same_seed_gives_the_same_inputs_and_another_gives_others() -> None:
    def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []

        def check(data: bytes, _random: Random) -> str:
            seen.append(data)
            return "seen"

        fuzz(Target("seen", [b"seed one", b"seed two"], [b"token"], check), 100, seed)
        return seen

    assert inputs(1) == inputs(1) != inputs(2)


@pytest.mark.parametrize("pieces", [1, 2, 5, 100])
def test_the_pieces_of_a_cut_are_the_whole_and_none_is_empty(pieces: int) -> None:
    random = Random(pieces)
    for size in range(20):
        data = random.randbytes(size)
        parts = cut(random, data, pieces)
        assert b"".join(parts) == data
        assert all(parts)
        assert len(parts) == min(pieces, size)


def test_mutations_leave_some_inputs_as_they_are_and_change_most() -> None:
    random, seeds = Random(1), [b"4hello"]
    results = [mutate(random, seeds, [b"\x1e"]) for _ in range(200)]
    assert 20 < results.count(b"4hello") < 100


class ForgetsWhatIsCut(FrameReader):
    """Loses the beginning of a message that has not come whole."""

    def next_message(self) -> Message | None:
        message = super().next_message()
        if message is None:
            self._position = len(self._buffer)
        return message


class TakesTooMuch(FrameReader):
    """Has no limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit * 1_000)


class RaisesKeyError(FrameReader):
    """Raises what it does not declare."""

    def _check_header(self, first: int, second: int) -> None:
        try:
            super()._check_header(first, second)
        except ValueError:
            raise KeyError(first) from None


@pytest.mark.parametrize(
    ("reader", "what"),
    [(ForgetsWhatIsCut, "the same however"), (TakesTooMuch, "within the limit"), (RaisesKeyError, "KeyError")],
)
def test_a_reader_that_breaks_a_promise_is_found(
    reader: type[FrameReader], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "FrameReader", reader)
    with pytest.raises(Finding, match=what):
        fuzz(by_name["frames"], INPUTS, seed=1)


@pytest.mark.parametrize(
    ("name", "function", "broken"),
    [
        ("payloads", "encode_payload", lambda frames: b"4" + frame(b"x") * len(list(frames))),
        ("json packets", "encode_json", lambda *_fields: frame(b"42[1]")),
        ("msgpack packets", "encode_msgpack", lambda *_fields: frame(b"4")),
    ],
)
def test_an_encoder_that_does_not_undo_its_decoder_is_found(
    name: str, function: str, broken: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, function, broken)
    with pytest.raises(Finding):
        fuzz(by_name[name], INPUTS, seed=1)


def test_the_command_says_which_input_it_was_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--inputs", "50", "--seed", "3", "--target", "payloads"]) == 0
    assert "payloads: 50 inputs" in capsys.readouterr().out

    def refuse(data: bytes, _random: Random) -> str:
        raise RuntimeError("planted")

    broken = dataclasses.replace(by_name["payloads"], check=refuse)
    monkeypatch.setattr("load_tests.fuzz_transport.TARGETS", [broken])
    assert main(["--inputs", "50", "--seed", "3", "--target", "payloads"]) == 1
    assert "payloads, seed 3, input 0: RuntimeError: planted\nb" in capsys.readouterr().err
