"""Content in other forms: Markdown, text and JSON, and what is made of them again."""

import contextlib
import json
from typing import Any

import pytest

from collab.content.changes import change_into
from collab.content.comparison import compare
from collab.content.jobs import Compare, Editor, Export, Import, Restore, Stored
from collab.content.markdown import to_markdown
from collab.content.markdown_reading import from_markdown
from collab.content.plain_text import to_text
from collab.content.prosemirror import from_json, to_json
from collab.content.reading import load, read
from collab.content.work import Refusal, run
from collab.decoding import BadUpdate

EMPTY = Stored(None)
PAGE = """# A *bold* title

Some **strong** and ~~struck~~ words, `code`, a [link](https://example.org) and 2 \\* 3.

- one
- two

  1. inner
  2. inner two

> quoted
>
> twice

```python
print("hi")
```

---

| a | b |
| --- | --- |
| 1 | 2 |"""


def imported(data: bytes, form: Any, root: str = "prosemirror", editor: Editor = "prosemirror") -> Stored:
    update = run(Import(EMPTY, form, data, root, editor))
    return Stored(load(update).get_update())


@pytest.mark.parametrize("editor", ["prosemirror", "tiptap"])
def test_markdown_comes_out_of_a_document_as_it_went_in(editor: Editor) -> None:
    assert run(Export(imported(PAGE.encode(), "markdown", editor=editor), "markdown")).decode() == PAGE


def test_each_editor_gets_the_names_that_it_knows() -> None:
    def names(node: Any) -> set[str]:
        inner = [names(one) for one in node.get("content", [])]
        return {node["type"], *(mark["type"] for mark in node.get("marks", []))}.union(*inner)

    assert names(from_markdown(PAGE, "prosemirror")) >= {"bullet_list", "list_item", "code_block", "strong", "em"}
    assert names(from_markdown(PAGE, "tiptap")) >= {"bulletList", "listItem", "codeBlock", "bold", "italic"}


@pytest.mark.parametrize(
    "text", ["- a", "1. b", "# c", "*d*", "[e](f)", "<g>", "h_i_", "`j`", "k\\l", "~~m~~", "1) n", "+ o", "=== p"]
)
def test_text_that_looks_like_markdown_is_text_again(text: str) -> None:
    doc = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]}
    markdown = to_markdown({"prosemirror": from_json(doc)})
    assert from_markdown(markdown, "prosemirror") == doc


def test_html_in_markdown_is_text() -> None:
    doc = from_markdown("<script>alert(1)</script>", "prosemirror")
    assert to_text({"prosemirror": from_json(doc)}) == "<script>alert(1)</script>"


def test_a_text_root_is_taken_and_given_as_it_is() -> None:
    text = "# not *parsed*\n\n\n- é 😀"
    for form in ("markdown", "text"):
        stored = imported(text.encode(), form, root="text")
        assert run(Export(stored, "markdown")).decode() == run(Export(stored, "text")).decode() == text


def test_the_plain_text_of_a_page_has_a_line_for_each_block() -> None:
    assert run(Export(imported(PAGE.encode(), "markdown"), "text")).decode().split("\n")[:5] == [
        "A bold title",
        "Some strong and struck words, code, a link and 2 * 3.",
        "one",
        "two",
        "inner",
    ]


def test_json_is_taken_as_it_was_given() -> None:
    roots = {
        "text": {"kind": "text", "delta": [{"insert": "a"}, {"insert": "b", "attributes": {"bold": True}}]},
        "prosemirror": {"kind": "xml", "doc": from_markdown(PAGE, "prosemirror")},
        "meta": {"kind": "map", "value": {"n": 1, "list": [1.5, None, {"x": "é"}]}},
        "rows": {"kind": "array", "value": ["a", 2]},
    }
    stored = imported(json.dumps(roots).encode(), "json")
    assert json.loads(run(Export(stored, "json"))) == roots


def test_an_import_of_json_leaves_other_roots_alone_and_merges_into_its_own() -> None:
    first = imported(b'{"text": {"kind": "text", "delta": [{"insert": "x"}]}}', "json")
    update = run(Import(first, "json", b'{"meta": {"kind": "map", "value": {"a": 1}}}', "text", "prosemirror"))
    doc = load(first.state or b"")
    doc.apply_update(update)
    assert set(read(doc.get_update())) == {"text", "meta"}


def test_both_updates_of_yjs_hold_the_same() -> None:
    stored = imported(PAGE.encode(), "markdown")
    v1, v2 = (run(Export(stored, form)) for form in ("yjs-v1", "yjs-v2"))
    assert v1 != v2
    assert run(Import(EMPTY, "yjs-v2", v2, "text", "prosemirror")) == v1


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("json", b"{"),
        ("json", b"[]"),
        ("json", b"{}"),
        ("json", b'{"text": 1}'),
        ("json", b'{"text": {"kind": "text", "delta": [1]}}'),
        ("json", b'{"p": {"kind": "xml", "doc": {"type": "doc", "content": [{}]}}}'),
        ("json", b"[" * 5000),
        ("yjs-v1", b"\xff\xff\xff\xff\x7f"),
        ("yjs-v2", b"\x00"),
        ("yjs-v2", b"\xff" * 40),
        ("text", b"\xff"),
    ],
)
def test_what_is_not_of_its_format_is_refused_with_a_reason(form: Any, data: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        run(Import(EMPTY, form, data, "text", "prosemirror"))
    assert str(caught.value)


def test_a_change_too_large_for_one_update_is_refused() -> None:
    with pytest.raises(Refusal):
        run(Import(EMPTY, "text", b"x" * (3 << 20), "text", "prosemirror"))


def test_a_comparison_names_words_that_came_and_went() -> None:
    before, after = (
        imported(text, "text", root="text") for text in (b"The red fox.\nSame.\n", b"The blue fox.\nSame.\n")
    )
    assert json.loads(run(Compare(before, after))) == [
        {
            "root": "text",
            "pieces": [
                {"op": "equal", "text": "The "},
                {"op": "delete", "text": "red"},
                {"op": "insert", "text": "blue"},
                {"op": "equal", "text": " fox.\nSame.\n"},
            ],
        }
    ]
    assert json.loads(run(Compare(before, before))) == []


def test_long_stretches_that_are_the_same_are_cut() -> None:
    lines = [f"line {number}\n" for number in range(1000)]
    changed = [*lines[:500], "new\n", *lines[500:]]
    before, after = ({"text": {"kind": "text", "delta": [{"insert": "".join(one)}]}} for one in (lines, changed))
    (root,) = compare(before, after)
    assert [piece["op"] for piece in root["pieces"]] == ["equal", "insert", "equal"]
    assert root["pieces"][0]["text"] == "\n[…]\nline 498\nline 499\n"


def test_the_comparison_of_data_is_of_its_json() -> None:
    old, new = ({"meta": {"kind": "map", "entries": {"n": {"kind": "value", "value": value}}}} for value in (1, 2))
    (root,) = compare(old, new)
    assert ("delete", "1") in [(piece["op"], piece["text"]) for piece in root["pieces"]]


def test_nothing_is_restored_where_nothing_differs() -> None:
    stored = imported(PAGE.encode(), "markdown")
    assert run(Restore(stored, stored)) == b""
    assert change_into(b"\0\0", {}) is None


def test_a_converter_that_is_fed_garbage_says_so_and_nothing_else() -> None:
    v2 = run(Export(imported(PAGE.encode(), "markdown"), "yjs-v2"))
    for at in range(0, len(v2), 3):
        for value in (0, 127, 255):
            mutant = v2[:at] + bytes([value]) + v2[at + 1 :]
            with contextlib.suppress(BadUpdate):
                run(Import(EMPTY, "yjs-v2", mutant, "text", "prosemirror"))


def test_xml_survives_its_json() -> None:
    doc = from_markdown(PAGE, "tiptap")
    assert to_json(from_json(doc)) == doc
