"""The generated descriptions of the wire: wire.json (socket events, errors), openapi.json, schema.graphql, in docs."""

import json
import sys
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from hub.kernel.errors import CATALOGUE
from hub.kernel.events import EventRoute, EventRouter
from hub.kernel.http import RestApi
from hub.kernel.limited import Limited
from hub.kernel.wire import Nothing, ServerEvent
from hub.transport import openapi

REFERENCE = "#/structs/{name}"


def documents(
    router: EventRouter, apis: Iterable[RestApi], limited: Iterable[Limited], *, version: str
) -> dict[str, str]:
    """File name → text, the same for the same code, so that a difference is a change of the wire."""
    from core_api.graphql import schema as graphql  # noqa: PLC0415 - strawberry takes half a second to import

    files = {"wire.json": wire_document(router), "openapi.json": openapi.document(apis, version=version)}
    texts = {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in files.items()}
    limits = {name: limit for one in limited for name, limit in one.declared.items()}
    return texts | {"schema.graphql": graphql.text(limits)}


def wire_document(router: EventRouter) -> dict[str, Any]:
    """Client events with payloads, acknowledgement data and limits; server events; errors with their advice."""
    routes = sorted(router.routes.values(), key=lambda route: route.name)
    server_events = sorted(_server_events(), key=lambda event: event.event)
    types = {*server_events, *(route.payload for route in routes)}.union(*(_answers(route) for route in routes))
    ordered = sorted(types, key=lambda struct: (struct.__module__, struct.__qualname__))
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
    schema_of = dict(zip(ordered, schemas, strict=True))
    return {
        "clientEvents": {route.name: _client_event(route, schema_of) for route in routes},
        "serverEvents": {event.event: schema_of[event] for event in server_events},
        "errors": {
            code: {
                "meaning": " ".join((error.__doc__ or "").split()),
                "temporary": error.temporary,
                "httpStatus": error.http_status,
            }
            for code, error in sorted(CATALOGUE.items())
        },
        "structs": dict(sorted(components.items())),
    }


def _client_event(route: EventRoute, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    answers = [schema_of[answer] for answer in _answers(route)]
    described = {
        "payload": schema_of[route.payload],
        "data": answers[0] if len(answers) == 1 else {"anyOf": answers},
    }
    if route.limit is not None:
        described["limit"] = {"perMinute": route.limit.per_minute, "burst": route.limit.burst}
    return described | ({"bareString": route.bare} if route.bare else {})


def _answers(route: EventRoute) -> list[type[msgspec.Struct]]:
    """The structs that the acknowledgement's data may be."""
    return list(dict.fromkeys(_structs(route.answer)))


def _structs(answer: Any) -> Iterator[type[msgspec.Struct]]:
    parts = get_args(answer)
    if get_origin(answer) is Coroutine:
        yield from _structs(parts[-1])
    elif parts:
        for part in parts:
            yield from _structs(part)  # of a union
    else:
        yield answer if isinstance(answer, type) and issubclass(answer, msgspec.Struct) else Nothing


def write(files: Mapping[str, str], folder: Path, *, check: bool) -> int:
    """Write the files, or with ``check`` only compare. Returns 1 if a file is not up to date, else 0."""
    stale = [name for name, text in files.items() if not _same(folder / name, text)]
    if check:
        for name in stale:
            print(f"{folder / name} is not up to date: run `sparkle-hub schema`", file=sys.stderr)
        return 1 if stale else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (folder / name).write_text(files[name], encoding="utf-8")
        print(f"wrote {folder / name}")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _server_events() -> set[type[ServerEvent]]:
    found, open_classes = set(), [ServerEvent]
    while open_classes:
        for event in open_classes.pop().__subclasses__():
            open_classes.append(event)
            # Classes of tests stand in the same registry when a test asks for the documents.
            if event.event and not event.__module__.startswith("tests"):
                found.add(event)
    return found
