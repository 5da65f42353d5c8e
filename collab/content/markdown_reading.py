"""Markdown as ProseMirror's JSON, in the names of one editor or the other."""

from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from collab.content.jobs import Editor

Json = dict[str, Any]

PROSEMIRROR = {
    "bullet_list": "bullet_list",
    "ordered_list": "ordered_list",
    "list_item": "list_item",
    "fence": "code_block",
    "code_block": "code_block",
    "hr": "horizontal_rule",
    "hardbreak": "hard_break",
    "strong": "strong",
    "em": "em",
    "s": "strike",
    "table_row": "table_row",
    "table_cell": "table_cell",
    "table_header": "table_header",
    "params": "params",
    "start": "order",
}
TIPTAP = PROSEMIRROR | {
    "bullet_list": "bulletList",
    "ordered_list": "orderedList",
    "list_item": "listItem",
    "fence": "codeBlock",
    "code_block": "codeBlock",
    "hr": "horizontalRule",
    "hardbreak": "hardBreak",
    "strong": "bold",
    "em": "italic",
    "table_row": "tableRow",
    "table_cell": "tableCell",
    "table_header": "tableHeader",
    "params": "language",
    "start": "start",
}
NAMES = {"prosemirror": PROSEMIRROR, "tiptap": TIPTAP}
NESTING = 50
"""Levels of lists and quotes: the reader is recursive, and so is what writes."""


def from_markdown(text: str, editor: Editor) -> Json:
    """The ``doc`` node of a Markdown text. HTML in it is text. Never raises: everything is Markdown."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING}).enable(["table", "strikethrough"])
    content = _blocks(iter(parser.parse(text)), NAMES[editor])
    return {"type": "doc", "content": content or [{"type": "paragraph"}]}


def _blocks(tokens: Iterator[Token], names: dict[str, str]) -> list[Json]:
    """The nodes up to the end of what the tokens are inside of."""
    found: list[Json] = []
    for token in tokens:
        if token.nesting < 0:
            return found
        if token.type == "inline":
            found += _inline(token.children or [], names)
        elif token.nesting > 0:
            found += _open(token, _blocks(tokens, names), names)
        elif token.type in ("fence", "code_block"):
            found.append(_code(token, names))
        elif token.type == "hr":
            found.append({"type": names["hr"]})
        elif token.content:
            found.append({"type": "paragraph", "content": [{"type": "text", "text": token.content}]})
    return found


def _open(token: Token, content: list[Json], names: dict[str, str]) -> list[Json]:
    kind = token.type.removesuffix("_open")
    node: Json = {"type": kind}
    match kind:
        case "heading":
            node["attrs"] = {"level": int(token.tag[1:])}
        case "bullet_list" | "list_item":
            node["type"] = names[kind]
        case "ordered_list":
            node |= {"type": names[kind], "attrs": {names["start"]: int(token.attrs.get("start", 1))}}
        case "thead" | "tbody":
            return content
        case "tr":
            node["type"] = names["table_row"]
        case "th" | "td":
            node["type"] = names["table_header" if kind == "th" else "table_cell"]
            content = [{"type": "paragraph"} | ({"content": content} if content else {})]
    return [node | ({"content": content} if content else {})]


def _code(token: Token, names: dict[str, str]) -> Json:
    node: Json = {"type": names["code_block"]}
    if language := token.info.strip():
        node["attrs"] = {names["params"]: language}
    text = token.content.removesuffix("\n")
    return node | ({"content": [{"type": "text", "text": text}]} if text else {})


def _inline(tokens: list[Token], names: dict[str, str]) -> list[Json]:
    found: list[Json] = []
    marks: list[Json] = []
    for token in tokens:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        if token.nesting > 0:
            mark: Json = {"type": names.get(kind, kind)}
            if kind == "link":
                mark["attrs"] = {"href": str(token.attrs.get("href", ""))}
            marks.append(mark)
        elif token.nesting < 0:
            marks.pop()
        elif kind == "image":
            found.append({"type": "image", "attrs": {"src": str(token.attrs.get("src", "")), "alt": token.content}})
        elif kind == "hardbreak":
            found.append({"type": names["hardbreak"]})
        else:
            text = " " if kind == "softbreak" else token.content
            own = [*marks, {"type": "code"}] if kind == "code_inline" else list(marks)
            if text:
                found.append({"type": "text", "text": text} | ({"marks": own} if own else {}))
    return found
