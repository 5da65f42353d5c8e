"""Members of a namespace with a protocol of its own."""

from types import SimpleNamespace
from typing import Any

from hub.transport.namespaces import Guest
from hub.transport.socketio.codecs import JSON
from hub.transport.socketio.socket import Socket


def test_a_member_who_answers_no_question_has_one_open() -> None:
    answers = dict[int, Any]()

    class Asked(Socket):
        """Shows who is waited for."""

        def expect(self, answer: Any, ack_id: int | None = None) -> int:
            number = super().expect(answer, ack_id)
            answers[number] = answer
            return number

        def forget(self, ack_id: int) -> None:
            super().forget(ack_id)
            del answers[ack_id]

    client: Any = SimpleNamespace(session=SimpleNamespace(sid="connection"), request=None, codec=JSON)
    namespaces: Any = None
    guest = Guest(namespaces, Asked(client, "/yjs|document", "member"))
    given = list[list[Any]]()
    for name in ("first", "second", "third"):
        guest.question(given.append, name)
    assert len(answers) == 1
    (last,) = answers
    guest.socket.answered(last - 1, ["late"])
    guest.socket.answered(last, ["taken"])
    assert given == [["taken"]]
