"""What the sessions of one native protocol share: the editing service, who comes in, and how often they may act."""

from collections.abc import Callable

from collab.editing import Editing
from collab.native.audience import NativeAudience
from collab.native.passes import Passes
from collab.tokens import Pass
from hub.kernel.errors import HubError
from hub.kernel.framed import FramedSocket
from hub.kernel.limited import Limited
from hub.kernel.tasks import Tasks

AsHubError = Callable[[BaseException], HubError | None]
"""What an exception means to a client; ``None`` for a bug of ours."""


class NativeEditing:
    """Given to the endpoint of a protocol, which closes nothing of it."""

    def __init__(
        self,
        editing: Editing,
        audience: NativeAudience,
        passes: Passes,
        limited: Limited,
        as_hub_error: AsHubError,
        tasks: Tasks,
        *,
        documents_per_connection: int,
    ) -> None:
        self.editing = editing
        self.audience = audience
        self.passes = passes
        self.as_hub_error = as_hub_error
        self.tasks = tasks
        self.documents_per_connection = documents_per_connection
        self._limited = limited

    def wait(self, event: str, given: Pass | None, socket: FramedSocket, *, count: int = 1) -> float:
        """Take so many from the allowance that ``event`` has over Socket.IO.

        Gives 0, or the seconds until there are so many, and then takes none.
        """
        limits = self._limited.kept_by
        user_id = None if given is None else given.actor.user_id
        return limits.wait_for_all({event: count}, user_id, limits.source(socket.address))
