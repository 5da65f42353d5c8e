"""Every operation of docs/openapi.json, as something that tests can ask, right and wrong."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.rest import Answer

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8"))
BASE = "/api/v1"
NOBODY = "00000000-0000-7000-8000-000000000000"
"""A UUID that nothing has."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    template: str
    described: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    def path(self, parameter: str | None = None) -> str:
        """The path below BASE, with the same text for every parameter; or with what fits and nothing has."""
        fitting = {"{room}": f"room:{NOBODY}"}
        return re.sub(r"{\w+}", lambda match: parameter or fitting.get(match[0], NOBODY), self.template)

    def takes_path(self, path: str) -> bool:
        """Whether a path below BASE can be one of this operation's."""
        return re.fullmatch(re.sub(r"{\w+}", "[^/]+", self.template), path) is not None

    @property
    def requires_token(self) -> bool:
        """Whether strangers are refused."""
        security = self.described.get("security", [{}])
        return {} not in security

    @property
    def role(self) -> str | None:
        """The role on the staff that one must have."""
        role: str | None = self.described.get("x-role")
        return role

    @property
    def takes_token(self) -> bool:
        return "security" in self.described

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of the body, if it takes one."""
        if "requestBody" not in self.described:
            return None
        reference = self.described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema: dict[str, Any] = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
        return schema

    def has(self, place: str, name: str | None = None) -> bool:
        """Whether it has a parameter in ``path`` or ``query``, of this name."""
        return any(one["in"] == place and name in (None, one["name"]) for one in self.described["parameters"])

    def has_uuid_in_path(self) -> bool:
        return any(
            one["in"] == "path" and one["schema"].get("description", "").startswith("UUID")
            for one in self.described["parameters"]
        )


OPERATIONS = [
    Operation(method.upper(), path.removeprefix(BASE), described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]
LISTS = [operation for operation in OPERATIONS if operation.has("query", "cursor")]


def assert_problem(answer: Answer, status: int, code: str) -> list[dict[str, str]]:
    """The answer is a problem document (RFC 9457) of ours with this status and code; gives its `errors`."""
    assert (answer.status, (answer.body or {}).get("code")) == (status, code), answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.headers["X-Request-Id"]
    assert answer.body.keys() >= {"type", "title", "status", "detail", "code", "errors"}
    assert answer.body["status"] == status
    assert answer.body["type"].endswith(code)
    assert answer.body["detail"]
    for error in answer.body["errors"]:
        assert error.keys() == {"pointer", "detail"}
    errors: list[dict[str, str]] = answer.body["errors"]
    return errors
