"""Turning one content into another by edits, and reading it back."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment

from collab.content.changes import change_into
from collab.content.editing import NotWritable
from collab.content.model import Content, tidy
from collab.content.reading import load, read
from collab.content.roots import kinds
from collab.update import parse

EMPTY = b"\0\0"

words = st.text(alphabet="ab é😀\n.", min_size=1, max_size=6)
marks = st.dictionaries(st.sampled_from(["bold", "link"]), st.sampled_from([True, {"href": "x"}, 2]), max_size=2)
runs = st.builds(
    lambda insert, attributes: {"insert": insert, "attributes": attributes},
    words | st.just({"image": "u"}),
    marks,
)
texts = st.lists(runs, max_size=5).map(lambda delta: {"kind": "text", "delta": tidy(delta)})
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet="xyé", max_size=3) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("pq"), inner, max_size=2),
    max_leaves=3,
).map(lambda value: {"kind": "value", "value": value})
attributes = st.dictionaries(st.sampled_from(["level", "id"]), st.sampled_from([1, "x", True]), max_size=2)
full_texts = texts.filter(lambda text: text["delta"])


def elements(inner: Any) -> Any:
    return st.builds(
        lambda tag, attributes, children: {
            "kind": "element",
            "tag": tag,
            "attributes": attributes,
            "children": children,
        },
        st.sampled_from(["paragraph", "heading"]),
        attributes,
        st.lists(inner, max_size=3),
    )


fragments = st.lists(elements(st.recursive(full_texts, elements, max_leaves=4)), max_size=4).map(
    lambda children: {"kind": "xml", "children": children}
)
entries = st.recursive(
    values | texts,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: {"kind": "array", "entries": found})
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(
            lambda found: {"kind": "map", "entries": found}
        )
    ),
    max_leaves=5,
)
maps = st.dictionaries(st.sampled_from("abc"), entries, max_size=3).map(lambda e: {"kind": "map", "entries": e})
arrays = st.lists(entries, max_size=4).map(lambda found: {"kind": "array", "entries": found})
contents = st.fixed_dictionaries({}, optional={"text": texts, "prosemirror": fragments, "meta": maps, "list": arrays})


def shown(content: Content) -> Content:
    """Content without the roots that are empty, which a document cannot tell from those it never had."""
    return {name: node for name, node in content.items() if any(node[part] for part in node if part != "kind")}


def applied(state: bytes, *updates: bytes | None) -> bytes:
    doc = load(state)
    for update in updates:
        if update is not None:
            parse(update)
            doc.apply_update(update)
    return doc.get_update()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(contents, contents)
def test_a_document_becomes_what_is_wanted_by_an_update_that_the_hub_takes(one: Content, other: Content) -> None:
    first = applied(EMPTY, change_into(EMPTY, one))
    assert shown(read(first)) == shown(one)
    second = applied(first, change_into(first, other))
    assert shown(read(second)) == shown(other)
    assert change_into(second, shown(read(second))) is None


def text(delta: str) -> Content:
    return {"text": {"kind": "text", "delta": [{"insert": delta}]}}


def test_what_others_write_meanwhile_stays() -> None:
    before = applied(EMPTY, change_into(EMPTY, text("The quick brown fox jumps over the lazy dog.")))
    restoring = change_into(before, text("The quick red fox jumps over the dog."))
    other = load(before)
    shared = other.get("text", type=Text)
    shared.insert(len("The quick brown fox"), " (a vixen)")
    both = applied(other.get_update(), restoring)
    assert read(both) == text("The quick red fox (a vixen) jumps over the dog.")


def test_a_changed_paragraph_leaves_the_others_untouched() -> None:
    def tree(*lines: str) -> Content:
        return {
            "prosemirror": {
                "kind": "xml",
                "children": [
                    {
                        "kind": "element",
                        "tag": "paragraph",
                        "attributes": {},
                        "children": [{"kind": "text", "delta": [{"insert": line}]}],
                    }
                    for line in lines
                ],
            }
        }

    before = applied(EMPTY, change_into(EMPTY, tree(*"abcdefgh")))
    update = change_into(before, tree("a", "b", "C!", "d", "e", "f", "g", "h"))
    assert update is not None
    brought = parse(update).brings
    assert sum(end - first for _, first, end in brought) <= 2  # the new letters alone


def test_the_kinds_of_roots_are_seen_from_what_is_in_them_also_when_their_first_content_is_gone() -> None:
    doc: Doc[Any] = Doc()
    doc["text"], doc["array"], doc["map"], doc["xml"], doc["never"] = Text(), Array(), Map(), XmlFragment(), Text()
    doc["text"] += "first"
    doc.get("array", type=Array).extend(["a", 1])
    doc.get("map", type=Map)["k"] = Text("in a map")
    doc.get("xml", type=XmlFragment).children.append(XmlElement("p"))
    doc.get("text", type=Text).insert(5, " second")
    del doc.get("text", type=Text)[0:5]
    state = doc.get_update()
    assert kinds(state) == {"text": "text", "array": "array", "map": "map", "xml": "xml"}
    assert read(state)["text"]["delta"] == [{"insert": " second"}]


def test_roots_that_are_not_wanted_can_be_kept() -> None:
    before = applied(EMPTY, change_into(EMPTY, {"meta": {"kind": "map", "entries": {"a": _value(1)}}}))
    kept = applied(before, change_into(before, text("new"), keep_others=True))
    assert set(shown(read(kept))) == {"meta", "text"}
    gone = applied(before, change_into(before, text("new")))
    assert set(shown(read(gone))) == {"text"}


def test_what_cannot_be_written_is_refused_rather_than_lost() -> None:
    inside = {"kind": "text", "delta": [{"insert": {"shared": {"kind": "map", "entries": {}}}}]}
    for wanted in ({"text": inside}, {"m": {"kind": "map", "entries": {"d": {"kind": "other", "name": "Doc"}}}}):
        with pytest.raises(NotWritable):
            change_into(EMPTY, wanted)


def test_large_texts_that_have_nothing_in_common_are_replaced_at_once() -> None:
    rng = random.Random(7)
    one, other = ("".join(rng.choice(letters) + " " for _ in range(20_000)) for letters in ("abc", "xyz"))
    before = applied(EMPTY, change_into(EMPTY, text(one)))
    assert read(applied(before, change_into(before, text(other)))) == text(other)


def _value(value: Any) -> dict[str, Any]:
    return {"kind": "value", "value": value}
