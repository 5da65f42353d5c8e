"""Content as JSON for readers, and back: what exports have, and what imports take."""

import base64
from typing import Any

from collab.content import prosemirror
from collab.content.model import Content, Node, tidy


def to_json(content: Content) -> dict[str, Any]:
    """Every root by its name: a text's delta, an XML fragment as ProseMirror's ``doc``, the value of a map or list."""
    return {name: root_of(node) for name, node in content.items()}


def root_of(node: Node) -> dict[str, Any]:
    """One root."""
    match node["kind"]:
        case "text":
            return {"kind": "text", "delta": [_shown(run) for run in node["delta"]]}
        case "xml":
            return {"kind": "xml", "doc": prosemirror.to_json(node)}
    return {"kind": node["kind"], "value": value_of(node)}


def value_of(node: Node) -> Any:
    """The value of a map or a list, and of what is in it: shared types and plain values look the same here."""
    match node["kind"]:
        case "map":
            return {name: value_of(one) for name, one in node["entries"].items()}
        case "array":
            return [value_of(one) for one in node["entries"]]
        case "value":
            return _json(node["value"])
        case "other":
            return None
    return root_of(node)


def from_json(roots: Any) -> Content:
    """The content of such JSON. Raises ValueError for what is none, with the reason."""
    if not isinstance(roots, dict) or not roots:
        raise ValueError("the content must be an object with at least one root")
    return {name: _root(name, root) for name, root in roots.items()}


def _root(name: str, root: Any) -> Node:
    if not isinstance(root, dict):
        raise ValueError(f"the root {name[:80]!r} must be an object")
    match root.get("kind"):
        case "text":
            return {"kind": "text", "delta": _delta(root.get("delta"))}
        case "xml":
            return prosemirror.from_json(root.get("doc"))
        case "map" if isinstance(root.get("value"), dict):
            return {"kind": "map", "entries": {key: _value(one) for key, one in root["value"].items()}}
        case "array" if isinstance(root.get("value"), list):
            return {"kind": "array", "entries": [_value(one) for one in root["value"]]}
    raise ValueError(f"the root {name[:80]!r} must be of the kind text, xml, map or array, with what that has")


def _value(value: Any) -> Node:
    return {"kind": "value", "value": value}


def _delta(delta: Any) -> list[dict[str, Any]]:
    if not isinstance(delta, list) or not all(isinstance(run, dict) and "insert" in run for run in delta):
        raise ValueError("a delta must be a list of objects with insert")
    if not all(isinstance(run.get("attributes") or {}, dict) for run in delta):
        raise ValueError("attributes must be an object")
    return tidy(delta)


def _shown(run: dict[str, Any]) -> dict[str, Any]:
    insert = run["insert"]
    if isinstance(insert, dict) and "shared" in insert:
        return run | {"insert": {"shared": root_of_any(insert["shared"])}}
    return run | {"insert": _json(insert)}


def root_of_any(node: Node) -> Any:
    """A type inside of a text, which may be an element alone."""
    return prosemirror.to_json({"children": [node]})["content"] if node["kind"] == "element" else value_of(node)


def _json(value: Any) -> Any:
    """Bytes as base64, since JSON has none."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: _json(one) for name, one in value.items()}
        case list():
            return [_json(one) for one in value]
    return value
