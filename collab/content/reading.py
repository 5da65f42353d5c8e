"""Reads what a Yjs document says, through pycrdt, into the plain form of collab.content.model."""

from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.content.model import Content, Node, plain, tidy
from collab.content.roots import Kind, kinds

SHARED: dict[Kind, type[Any]] = {"text": Text, "xml": XmlFragment, "map": Map, "array": Array}
DEEPEST = 200
"""Levels that are read: the depth of a document is a client's to choose, and Python's stack is not endless."""


class TooDeep(ValueError):
    """Shared types are nested deeper than is read."""


def load(state: bytes) -> Doc[Any]:
    """A document of its own with this state, an update v1."""
    doc: Doc[Any] = Doc()
    doc.apply_update(state)
    return doc


def read(state: bytes) -> Content:
    """The content of a document, an update v1. Raises BadUpdate and TooDeep."""
    return content_of(load(state), kinds(state))


def content_of(doc: Doc[Any], roots: dict[str, Kind]) -> Content:
    """The content of the roots that are named, of the kind that each is."""
    with doc.transaction():  # one, and not one for each value that is looked at
        return {name: node_of(doc.get(name, type=SHARED[kind])) for name, kind in sorted(roots.items())}


def node_of(shared: Any, depth: int = 0) -> Node:
    """The node of a shared type or a value."""
    if depth > DEEPEST:
        raise TooDeep(f"shared types are nested more than {DEEPEST} deep")

    def inner(value: Any) -> Node:
        return node_of(value, depth + 1)

    node: Node = {"kind": "other", "name": type(shared).__name__}
    match shared:
        case Text() | XmlText():
            node = {"kind": "text", "delta": _delta(shared, depth)}
            if isinstance(shared, XmlText) and (attributes := _attributes(shared)):
                node["attributes"] = attributes
        case XmlElement():
            node = {"kind": "element", "tag": shared.tag or "", "attributes": _attributes(shared)}
            node["children"] = [inner(child) for child in shared.children]
        case XmlFragment():
            node = {"kind": "xml", "children": [inner(child) for child in shared.children]}
        case Map():
            node = {"kind": "map", "entries": {name: inner(shared[name]) for name in sorted(shared.keys())}}
        case Array():
            node = {"kind": "array", "entries": [inner(value) for value in shared]}
        case None | bool() | int() | float() | str() | bytes() | list() | dict():
            node = {"kind": "value", "value": plain(shared)}
    return node


def _delta(text: Text | XmlText, depth: int) -> list[dict[str, Any]]:
    return tidy(
        {"insert": _insert(insert, depth), "attributes": plain(attributes or {})} for insert, attributes in text.diff()
    )


def _insert(insert: Any, depth: int) -> Any:
    """Text as it is, embedded values as JSON, embedded types as their node under a name that no value has."""
    if isinstance(insert, str | bool | int | float | list | dict) or insert is None:
        return plain(insert)
    return {"shared": node_of(insert, depth + 1)}


def _attributes(shared: XmlElement | XmlText) -> dict[str, Any]:
    pairs: list[tuple[str, Any]] = list(shared.attributes)  # type: ignore[call-overload]  # it is an iterable
    return {name: plain(value) for name, value in sorted(pairs)}
