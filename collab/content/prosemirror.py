"""XML fragments as ProseMirror's JSON, the way y-prosemirror pairs the two."""

from typing import Any

from collab.content.model import Node, tidy

MARK_SEPARATOR = "--"
"""y-prosemirror puts it and a hash behind the names of marks that may overlap with their like."""


def to_json(xml: Node) -> dict[str, Any]:
    """The fragment as a ``doc`` node."""
    return {"type": "doc", "content": _nodes(xml["children"])}


def _nodes(children: list[Node]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for child in children:
        if child["kind"] == "text":
            found += [_text(run) for run in child["delta"]]
        elif child["kind"] == "element":
            node: dict[str, Any] = {"type": child["tag"]}
            if child["attributes"]:
                node["attrs"] = child["attributes"]
            if child["children"]:
                node["content"] = _nodes(child["children"])
            found.append(node)
    return found


def _text(run: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(run["insert"], str):
        return {"type": "embed", "attrs": {"value": run["insert"]}}
    node: dict[str, Any] = {"type": "text", "text": run["insert"]}
    marks = [_mark(name, value) for name, value in run.get("attributes", {}).items()]
    return node | ({"marks": marks} if marks else {})


def _mark(name: str, value: Any) -> dict[str, Any]:
    mark = {"type": name.partition(MARK_SEPARATOR)[0]}
    return mark | ({"attrs": value} if isinstance(value, dict) and value else {})


def from_json(doc: Any) -> Node:
    """The fragment of a ``doc`` node. Raises ValueError for what is none."""
    if not isinstance(doc, dict) or doc.get("type") != "doc":
        raise ValueError('the outermost node must be of the type "doc"')
    return {"kind": "xml", "children": _children(doc.get("content", []))}


def _children(nodes: Any) -> list[Node]:
    if not isinstance(nodes, list):
        raise ValueError("content must be a list of nodes")
    children: list[Node] = []
    delta: list[dict[str, Any]] = []

    def end_text() -> None:
        if delta:
            children.append({"kind": "text", "delta": tidy(delta)})
            delta.clear()

    for node in nodes:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            raise ValueError("every node must have a type")
        if node["type"] == "text":
            delta.append(_run(node))
            continue
        end_text()
        attributes = node.get("attrs") or {}
        if not isinstance(attributes, dict):
            raise ValueError("attrs must be an object")
        attributes = {name: value for name, value in attributes.items() if value is not None}
        inner = _children(node.get("content", []))
        children.append({"kind": "element", "tag": node["type"], "attributes": attributes, "children": inner})
    end_text()
    return children


def _run(node: dict[str, Any]) -> dict[str, Any]:
    text, marks = node.get("text"), node.get("marks") or []
    if not isinstance(text, str) or not isinstance(marks, list):
        raise ValueError("a text node must have a text, and marks must be a list")
    if not all(isinstance(mark, dict) and isinstance(mark.get("type"), str) for mark in marks):
        raise ValueError("every mark must have a type")
    return {"insert": text, "attributes": {mark["type"]: mark.get("attrs") or {} for mark in marks}}
