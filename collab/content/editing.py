"""Edits that turn one content into another: as few as a person would have made, so that whoever edits meanwhile keeps
their place and their words.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.content.differences import WORD, differences
from collab.content.model import Content, Delta, Node, key, tidy
from collab.content.reading import SHARED, content_of
from collab.content.roots import Kind


class NotWritable(ValueError):
    """The content has what cannot be written: another document, or a type inside a text."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a gap, a sign or an embedded value, as it looks."""

    insert: Any
    attributes: dict[str, Any]

    @property
    def size(self) -> int:
        """Units of pycrdt's indices: bytes of UTF-8."""
        return len(self.insert.encode()) if isinstance(self.insert, str) else 1


def turn_into(doc: Doc[Any], roots: dict[str, Kind], wanted: Content) -> None:
    """Make the content of ``doc``, whose roots are ``roots``, the wanted one. Raises NotWritable."""
    _check({"kind": "map", "entries": wanted})
    present = content_of(doc, roots)
    with doc.transaction():
        for name in sorted(present.keys() | wanted.keys()):
            before, after = present.get(name), wanted.get(name)
            if before is not None and (after is None or after["kind"] != before["kind"]):
                _edit(doc.get(name, type=SHARED[before["kind"]]), before, _empty(before["kind"]))
                before = None
            if after is not None:
                shared = doc.get(name, type=SHARED[after["kind"]])
                _edit(shared, before or _empty(after["kind"]), after)


def _check(node: Node) -> None:
    """Raise NotWritable for what a restoration would lose."""
    match node["kind"]:
        case "map":
            inner: Iterator[Node] = iter(node["entries"].values())
        case "array":
            inner = iter(node["entries"])
        case "xml" | "element":
            inner = iter(node["children"])
        case "text":
            if any(isinstance(run["insert"], dict) and "shared" in run["insert"] for run in node["delta"]):
                raise NotWritable("it has shared types inside a text")
            return
        case "other":
            raise NotWritable(f"it has a {node['name']}")
        case _:
            return
    for one in inner:
        _check(one)


def _empty(kind: str) -> Node:
    match kind:
        case "text":
            return {"kind": "text", "delta": []}
        case "xml":
            return {"kind": "xml", "children": []}
        case "map":
            return {"kind": "map", "entries": {}}
    return {"kind": "array", "entries": []}


def _edit(shared: Any, before: Node, after: Node) -> None:
    match after["kind"]:
        case "text":
            edit_text(shared, before["delta"], after["delta"])
            if isinstance(shared, XmlText):
                _edit_attributes(shared, before.get("attributes", {}), after.get("attributes", {}))
        case "xml":
            _edit_children(shared, before["children"], after["children"])
        case "element":
            _edit_attributes(shared, before["attributes"], after["attributes"])
            _edit_children(shared, before["children"], after["children"])
        case "map":
            _edit_map(shared, before["entries"], after["entries"])
        case "array":
            _edit_list(
                before["entries"],
                after["entries"],
                lambda at, old, new: _edit_entry(shared, at, old, new),
                shared.__delitem__,
                lambda at, new: _insert_entry(shared, at, new),
            )


# Texts


def edit_text(text: Text | XmlText, before: Delta, after: Delta) -> None:
    """Turn a text into another one, from its end to its beginning, so that the places before stay what they are."""
    old, new = list(_tokens(before)), list(_tokens(after))
    none = dict[str, Any].fromkeys(name for token in [*old, *new] for name in token.attributes)
    at = [0]
    for token in old:
        at.append(at[-1] + token.size)
    for tag, i1, i2, j1, j2 in reversed(differences([_text(t) for t in old], [_text(t) for t in new])):
        if tag == "equal":
            for i, j in zip(reversed(range(i1, i2)), reversed(range(j1, j2)), strict=True):
                _reformat(text, at[i], at[i + 1], old[i].attributes, new[j].attributes)
            continue
        if i1 < i2:
            del text[at[i1] : at[i2]]
        inserted = tidy({"insert": token.insert, "attributes": token.attributes} for token in new[j1:j2])
        for run in reversed(inserted):  # not token by token: Yrs looks at each one before it
            # A mark that is not given would be taken over from what stands to the left.
            attributes = none | run.get("attributes", {})
            if isinstance(run["insert"], str):
                text.insert(at[i1], run["insert"], attributes)
            else:
                text.insert_embed(at[i1], run["insert"], attributes)


def _tokens(delta: Delta) -> Iterator[Token]:
    for run in delta:
        attributes = run.get("attributes", {})
        if isinstance(run["insert"], str):
            yield from (Token(word, attributes) for word in WORD.findall(run["insert"]))
        else:
            yield Token(run["insert"], attributes)


def _text(token: Token) -> str:
    return token.insert if isinstance(token.insert, str) else f"\0{json.dumps(token.insert, sort_keys=True)}"


def _reformat(text: Text | XmlText, start: int, stop: int, before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = {name: after.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if changes:
        text.format(start, stop, changes)


# Trees, maps, lists


def _edit_children(parent: XmlFragment | XmlElement, before: list[Node], after: list[Node]) -> None:
    _edit_list(
        before,
        after,
        lambda at, old, new: _edit_child(parent, at, old, new),
        parent.children.__delitem__,
        lambda at, new: _insert_child(parent, at, new),
    )


def _edit_list(
    before: list[Node],
    after: list[Node],
    change: Callable[[int, Node, Node], bool],
    delete: Callable[[int], None],
    insert: Callable[[int, Node], None],
) -> None:
    """Change, delete and insert entries, the last first. ``change`` says whether it could."""
    for tag, i1, i2, j1, j2 in reversed(differences([key(one) for one in before], [key(one) for one in after])):
        if tag == "equal":
            continue
        common = min(i2 - i1, j2 - j1)
        for i in reversed(range(i1 + common, i2)):
            delete(i)
        for j in reversed(range(j1 + common, j2)):
            insert(i1 + common, after[j])
        for step in reversed(range(common)):
            if not change(i1 + step, before[i1 + step], after[j1 + step]):
                delete(i1 + step)
                insert(i1 + step, after[j1 + step])


def _edit_child(parent: XmlFragment | XmlElement, at: int, before: Node, after: Node) -> bool:
    if before["kind"] != after["kind"] or before.get("tag") != after.get("tag"):
        return False
    _edit(parent.children[at], before, after)
    return True


def _insert_child(parent: XmlFragment | XmlElement, at: int, node: Node) -> None:
    if node["kind"] == "text":
        _edit(parent.children.insert(at, XmlText()), _empty("text"), node)
    elif node["kind"] == "element":
        element = parent.children.insert(at, XmlElement(node["tag"]))
        _edit(element, {"attributes": {}, "children": []}, node)
    else:
        raise NotWritable(f"it has a {node['kind']} inside XML")


def _edit_attributes(shared: XmlElement | XmlText, before: dict[str, Any], after: dict[str, Any]) -> None:
    for name in before.keys() - after.keys():
        del shared.attributes[name]
    for name, value in after.items():
        if name not in before or before[name] != value:
            shared.attributes[name] = value


def _edit_map(shared: Map[Any], before: dict[str, Node], after: dict[str, Node]) -> None:
    for name in before.keys() - after.keys():
        del shared[name]
    for name, node in after.items():
        old = before.get(name)
        if old == node:
            continue
        if old is not None and old["kind"] == node["kind"] != "value":
            _edit(shared[name], old, node)
        else:
            shared[name] = _new(node)
            if node["kind"] != "value":
                _edit(shared[name], _empty(node["kind"]), node)


def _edit_entry(shared: Array[Any], at: int, before: Node, after: Node) -> bool:
    if before["kind"] != after["kind"] or after["kind"] == "value":
        return False
    _edit(shared[at], before, after)
    return True


def _insert_entry(shared: Array[Any], at: int, node: Node) -> None:
    shared.insert(at, _new(node))
    if node["kind"] != "value":
        _edit(shared[at], _empty(node["kind"]), node)


def _new(node: Node) -> Any:
    match node["kind"]:
        case "value":
            return node["value"]
        case "text":
            return Text()
        case "map":
            return Map()
        case "array":
            return Array()
    raise NotWritable(f"it has a {node['kind']} inside a map or an array")
