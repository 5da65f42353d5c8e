"""Errors that only calls have."""

from hub.kernel.errors import HubError


class UnknownCall(HubError):
    """There is no such call, or the actor is no party to it. Drop it: a call ends here for whoever cannot see it."""

    code = "unknown_call"
    http_status = 404
    temporary = False
    default_message = "There is no such call."


class CallNotAccepted(HubError):
    """It still rings there, or here. Wait for ``call:accepted`` and send it again, a signal with the same ``seq``."""

    code = "call_not_accepted"
    http_status = 409
    default_message = "The call has not been accepted yet."


class CallEnded(HubError):
    """The call is over; ``reason`` says why. Close the peer connection, place a new call to go on."""

    code = "call_ended"
    http_status = 409
    temporary = False
    default_message = "The call has ended."


class SignalGap(HubError):
    """A signal is missing before this one. Send again from ``expectedSeq`` on, in order."""

    code = "signal_gap"
    http_status = 409
    default_message = "A signal before this one is missing."


class AnsweredElsewhere(HubError):
    """The user's part in the call is on another connection. Stop ringing.

    After a reconnect, ``call:sync`` takes it over.
    """

    code = "answered_elsewhere"
    http_status = 409
    temporary = False
    default_message = "Another of your devices has this call."


class CallFull(HubError):
    """``mostPeople`` are in it, and there is no media server for more. Try again when somebody has left."""

    code = "call_full"
    http_status = 409
    default_message = "No more people fit into this call."


class CallInProgress(HubError):
    """The two are in a call already, ``callId``. Go back to it, or hang it up first."""

    code = "call_in_progress"
    http_status = 409
    temporary = False
    default_message = "You are in a call with this person already."


class LegGone(HubError):
    """Whom the signal is for is not in the call, or not any more. Drop that peer connection.

    The signal has taken its ``seq``: go on with the next.
    """

    code = "leg_gone"
    http_status = 409
    temporary = False
    default_message = "The member whom this signal is for is not in the call."
