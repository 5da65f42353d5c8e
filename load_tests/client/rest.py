"""REST requests of one person, whose failures carry the code of the hub's problem document."""

from typing import TYPE_CHECKING, Any

from load_tests.measures.faults import Refused

if TYPE_CHECKING:  # importing locust changes the standard library of the whole process
    from locust.contrib.fasthttp import FastHttpSession

BASE = "/api/v1"


class Rest:
    """Locust measures every request by itself: kind POST or GET, name the path."""

    def __init__(self, http: "FastHttpSession") -> None:
        self._http = http

    def post(self, path: str, body: object = None, *, token: str | None = None, name: str | None = None) -> Any:
        """The decoded answer. ``path`` is below BASE; ``name`` is the path without ids in it.

        Raises Refused for every answer that is no success, and for none (code ``unreachable``).
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        label = BASE + (name or path)
        with self._http.request(
            "POST", BASE + path, name=label, json=body, headers=headers, catch_response=True
        ) as response:
            status = int(response.status_code or 0)
            answer = _decoded(response)
            if 200 <= status < 300:
                return answer
            refusal = Refused.by_status(status, answer, (response.headers or {}).get("Retry-After"))
            response.failure(refusal)
        raise refusal


def _decoded(response: Any) -> Any:
    try:
        return response.json() if response.text else None
    except ValueError:
        return None
