"""What was measured and what failed, as Locust request events: a row each in its tables."""

from typing import Any, Protocol

from load_tests.measures.faults import Fault


class Fire(Protocol):
    """``environment.events.request.fire`` of Locust."""

    def __call__(self, **event: Any) -> None: ...


class Report:
    """Each sample has a kind (Locust's *Type*), a name, and a fault if it failed."""

    def __init__(self, fire: Fire) -> None:
        self._fire = fire

    def sample(self, kind: str, name: str, seconds: float, fault: Fault | None = None) -> None:
        """Something took so long, and failed if there is a ``fault``."""
        self._fire(
            request_type=kind,
            name=name,
            response_time=seconds * 1000,
            response_length=0,
            exception=fault,
            context={},
        )
