"""Content as Markdown (CommonMark, with the tables and strikethrough of GitHub's).

Editors name their nodes in one of two manners, ``bullet_list`` (prosemirror-markdown) and ``bulletList`` (Tiptap), so
names are compared without regard to that. What has no Markdown is written as its text.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from collab.content import prosemirror
from collab.content.model import Content, Delta, Node
from collab.content.plain_text import in_order

SPECIAL = re.compile(r"([\\`*_\[\]<>~|])")
LINE_START = re.compile(r"^(\s*(?:\d+(?=[.)]))?)([#+\-=.)])", re.MULTILINE)
MARKS = {"strong": "**", "bold": "**", "em": "*", "italic": "*", "strike": "~~", "strikethrough": "~~", "s": "~~"}
"""Outermost first."""
FENCE = re.compile(r"`+")


def to_markdown(content: Content) -> str:
    """All texts and XML fragments, with an empty line between two roots."""
    parts = [markdown_of(node) for _, node in in_order(content) if node["kind"] in ("text", "xml")]
    return "\n\n".join(part for part in parts if part)


def markdown_of(node: Node) -> str:
    """The Markdown of one root. A text without marks is what its writers typed: Markdown, if they write that."""
    if node["kind"] == "text":
        delta: Delta = node["delta"]
        if all(isinstance(run["insert"], str) and not run.get("attributes") for run in delta):
            return "".join(run["insert"] for run in delta)
        return _inline(prosemirror.to_json({"children": [node]})["content"])
    return _blocks(prosemirror.to_json(node)["content"])


def _name(node: dict[str, Any]) -> str:
    return str(node["type"]).replace("_", "").lower()


def _blocks(nodes: Sequence[dict[str, Any]], between: str = "\n\n") -> str:
    blocks: list[str] = []
    inline: list[dict[str, Any]] = []
    for node in nodes:
        if _is_inline(node):
            inline.append(node)
            continue
        if inline:
            blocks.append(_inline(inline))
            inline = []
        blocks.append(BLOCKS.get(_name(node), _paragraph)(node))
    if inline:
        blocks.append(_inline(inline))
    return between.join(block for block in blocks if block)


def _is_inline(node: dict[str, Any]) -> bool:
    return _name(node) in ("text", "hardbreak", "image", "embed")


def _content(node: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = node.get("content", [])
    return content


def _attr(node: dict[str, Any], *names: str, default: Any = "") -> Any:
    attrs = node.get("attrs", {})
    return next((attrs[name] for name in names if attrs.get(name) not in (None, "")), default)


def _paragraph(node: dict[str, Any]) -> str:
    content = _content(node)
    if any(not _is_inline(one) for one in content):
        return _blocks(content)
    return LINE_START.sub(r"\1\\\2", _inline(content))


def _heading(node: dict[str, Any]) -> str:
    level = _attr(node, "level", default=1)
    number = int(level) if str(level).isdigit() else 1
    return f"{'#' * min(max(number, 1), 6)} {_inline(_content(node))}".replace("\n", " ")


def _quote(node: dict[str, Any]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _blocks(_content(node)).split("\n"))


def _code(node: dict[str, Any]) -> str:
    text = "".join(one.get("text", "") for one in _content(node))
    longest = max((len(found) for found in FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    language = re.sub(r"[\s`]", "", str(_attr(node, "params", "language")))
    return f"{fence}{language}\n{text}\n{fence}"


def _rule(_node: dict[str, Any]) -> str:
    return "---"


def _bullets(node: dict[str, Any]) -> str:
    return "\n".join(_item("- ", one) for one in _content(node))


def _numbers(node: dict[str, Any]) -> str:
    first = _attr(node, "order", "start", default=1)
    start = int(first) if str(first).isdigit() else 1
    return "\n".join(_item(f"{start + step}. ", one) for step, one in enumerate(_content(node)))


def _tasks(node: dict[str, Any]) -> str:
    return "\n".join(_item(f"- [{'x' if _attr(one, 'checked') is True else ' '}] ", one) for one in _content(node))


def _item(sign: str, node: dict[str, Any]) -> str:
    text = _blocks(_content(node))
    indent = " " * (2 if sign.startswith("- ") else len(sign))
    first, *others = text.split("\n")
    return "\n".join([sign + first, *(indent + line if line else "" for line in others)])


def _table(node: dict[str, Any]) -> str:
    rows = [[_blocks(_content(cell), " ").replace("\n", " ") for cell in _content(row)] for row in _content(node)]
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "heading": _heading,
    "blockquote": _quote,
    "codeblock": _code,
    "horizontalrule": _rule,
    "bulletlist": _bullets,
    "orderedlist": _numbers,
    "tasklist": _tasks,
    "table": _table,
}


def _inline(nodes: Sequence[dict[str, Any]]) -> str:
    return "".join(_span(node) for node in nodes)


def _span(node: dict[str, Any]) -> str:
    name = _name(node)
    if name == "hardbreak":
        return "\\\n"
    if name == "image":
        return f"![{_escape(str(_attr(node, 'alt')))}]({_target(_attr(node, 'src'))})"
    if name == "embed":
        return ""
    marks = {str(mark["type"]).lower(): mark.get("attrs", {}) for mark in node.get("marks", [])}
    text = str(node.get("text", ""))
    if "code" in marks:
        longest = max((len(found) for found in FENCE.findall(text)), default=0)
        sign = "`" * (longest + 1)
        text = f"{sign}{' ' if longest else ''}{text}{' ' if longest else ''}{sign}"
    else:
        text = _escape(text)
    for mark, sign in reversed(MARKS.items()):
        if mark in marks:
            text = _wrapped(text, sign)
    if "link" in marks and (target := marks["link"].get("href")):
        text = f"[{text}]({_target(target)})"
    return text


def _wrapped(text: str, sign: str) -> str:
    """CommonMark sees no mark whose sign has a blank inside of it."""
    bare = text.strip()
    if not bare:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{sign}{bare}{sign}{after}"


def _escape(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)


def _target(url: Any) -> str:
    return re.sub(r"([\\<>])", r"\\\1", str(url)).join("<>") if re.search(r"[\s()<>]", str(url)) else str(url)
