"""Turn Markdown into blocks that a mini-program renders directly.

A block holds rich-text nodes that WeChat's `rich-text` trusts (nothing else is ever made: every node comes
from a table below, raw HTML is text), its plain text, and the actions its links stand for, because a link
inside `rich-text` cannot be tapped. Images are blocks of their own. The kinds of blocks:

- `heading` level 2 to 4, `paragraph`, `table`, `code`: `nodes`, `text`
- `list`: `ordered`, `items` of `level` (0 is the outermost), `marker`, `nodes`, `text`, `actions`
- `quote`: `paragraphs` of `nodes`, `text`, `actions`
- `image`: `illustration`, `alt`
- `call`: `number`, `text`; `piece`: `slug`, `text` (a paragraph that is nothing but that link)
- `rule`

`actions` are `{"type": "call", "number", "text"}` and `{"type": "piece", "slug", "text"}` in order of appearance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from edu_platform.core.errors import FieldError
from edu_platform.core.schemas import hostile_character

Node = dict[str, Any]
Block = dict[str, Any]

TRUSTED: Final = frozenset(
    {"br", "code", "del", "em", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr"}
)
"""The node names that are ever made, all of them among those that WeChat trusts."""
MOST_BLOCKS: Final = 400
LONGEST_TEXT: Final = 20_000
MOST_LINES: Final = 1_500
MOST_COLUMNS: Final = 12
_INLINE: Final = {"strong": "strong", "em": "em", "s": "del"}
_TELEPHONE: Final = re.compile(r"[0-9]{3,5}|[0-9]{3,4}-?[0-9]{3,4}-?[0-9]{4}|1[0-9]{10}")
_WIDE: Final = "[\u3000-\u9fff\uff00-\uffef“”‘’—…·]"
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(slots=True)
class Read:
    """What a Markdown text holds: its blocks, what is wrong by line, and what it refers to by line."""

    blocks: list[Block] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    pieces: list[tuple[int, str]] = field(default_factory=list)
    illustrations: list[tuple[int, str]] = field(default_factory=list)
    block_lines: list[int] = field(default_factory=list)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    # the parser would drop the schemes of our own; what a link may be is decided in `action`
    parser.validateLink = bool  # type: ignore[method-assign,assignment]  # documented as replaceable
    parser.normalizeLink = str  # type: ignore[method-assign,assignment]
    return parser


class _Reader:
    def __init__(self, hotline: str) -> None:
        self.hotline = hotline
        self.read = Read()
        self.line = 1

    def wrong(self, reason: str) -> None:
        if (self.line, reason) not in self.read.errors:
            self.read.errors.append((self.line, reason))

    def text(self, content: str) -> Node:
        found = hostile_character(content, lines=True)
        if found:  # a numeric entity brought it in
            self.wrong(f"含有不允许的字符 {found}")
            content = "".join(c for c in content if not hostile_character(c, lines=True))
        return {"type": "text", "text": content.replace("{hotline}", self.hotline)}

    # -- inline -----------------------------------------------------------------------------------------

    def inline(self, node: SyntaxTreeNode, actions: list[Node]) -> list[Node]:
        found: list[Node] = []
        for child in node.children:
            found += self.inline_node(child, actions)
        return _joined(found)

    def inline_node(self, child: SyntaxTreeNode, actions: list[Node]) -> list[Node]:
        kind = child.type
        if kind == "text":
            if re.search(r"</?[A-Za-z][^<>]*>|<!--", child.content):
                self.wrong("不能写 HTML")
            return [self.text(child.content)]
        if kind == "softbreak":
            return [{"type": "text", "text": "\n"}]
        if kind == "hardbreak":
            return [{"name": "br"}]
        if kind == "code_inline":
            return [{"name": "code", "children": [self.text(child.content)]}]
        if kind in _INLINE:
            return [{"name": _INLINE[kind], "children": self.inline(child, actions)}]
        if kind == "link":
            return self.link(child, actions)
        if kind == "image":
            self.wrong("图片须独占一段")
            return [self.text(child.content)]
        return [self.text(child.content)] if child.content else self.inline(child, actions)

    def link(self, node: SyntaxTreeNode, actions: list[Node]) -> list[Node]:
        children = self.inline(node, [])
        action = self.action(str(node.attrs.get("href", "")), _plain(children))
        if action is None:
            return children
        actions.append(action)
        return [{"name": "span", "attrs": {"class": f"link link-{action['type']}"}, "children": children}]

    def action(self, target: str, text: str) -> Node | None:
        scheme, _, rest = target.partition(":")
        rest = rest.replace("{hotline}", self.hotline)
        if scheme == "piece" and _SLUG.fullmatch(rest):
            self.read.pieces.append((self.line, rest))
            return {"type": "piece", "slug": rest, "text": text}
        if scheme == "tel" and _TELEPHONE.fullmatch(rest):
            return {"type": "call", "number": rest, "text": text}
        self.wrong(f"链接只能写 piece:内容的slug 或 tel:电话号码，不能写“{target[:60]}”")
        return None

    # -- blocks -----------------------------------------------------------------------------------------

    def blocks(self, root: SyntaxTreeNode, first_line: int) -> None:
        for node in root.children:
            self.line = first_line + (node.map[0] if node.map else 0)
            line = self.line
            for block in self.block(node, first_line):
                if len(self.read.blocks) >= MOST_BLOCKS:
                    self.wrong(f"内容过长：最多 {MOST_BLOCKS} 段")
                    return
                self.read.blocks.append(block)
                self.read.block_lines.append(line)

    def block(self, node: SyntaxTreeNode, first: int) -> Iterator[Block]:
        kind = node.type
        if kind == "heading":
            level = int(node.tag[1:])
            if level == 1:
                self.wrong("正文里的标题从 ## 开始，题目写在最上面")
            yield {"type": "heading", "level": min(max(level, 2), 4), **self.lettered(node)}
        elif kind == "paragraph":
            yield self.paragraph(node)
        elif kind in {"bullet_list", "ordered_list"}:
            items = list(self.items(node, 0, first))
            yield {"type": "list", "ordered": kind == "ordered_list", "items": items}
        elif kind == "blockquote":
            yield {"type": "quote", "paragraphs": list(self.quoted(node, first))}
        elif kind == "table":
            yield self.table(node)
        elif kind in {"fence", "code_block"}:
            text = self.text(node.content.rstrip("\n"))
            yield {"type": "code", "nodes": [{"name": "pre", "children": [text]}], "text": text["text"]}
        elif kind == "hr":
            yield {"type": "rule"}
        else:
            self.wrong("不支持这种写法")

    def lettered(self, node: SyntaxTreeNode) -> Block:
        """Return nodes, text and actions of something that holds inline content."""
        actions: list[Node] = []
        nodes: list[Node] = []
        for child in node.children:
            nodes += self.inline(child, actions)
        nodes = _joined(nodes)
        return {"nodes": nodes, "text": _plain(nodes), **({"actions": actions} if actions else {})}

    def paragraph(self, node: SyntaxTreeNode) -> Block:
        inner = [child for inline in node.children for child in inline.children]
        inner = [child for child in inner if child.type != "text" or child.content.strip()]
        if len(inner) == 1 and inner[0].type == "image":
            return self.image(inner[0])
        block = {"type": "paragraph", **self.lettered(node)}
        if len(inner) == 1 and inner[0].type == "link" and block.get("actions"):
            return dict(block["actions"][0])
        return block

    def image(self, node: SyntaxTreeNode) -> Block:
        source = str(node.attrs.get("src", ""))
        alt: str = self.text(node.content)["text"].strip()
        scheme, _, name = source.partition(":")
        if scheme != "illustration" or not _SLUG.fullmatch(name):
            self.wrong(f"图片只能写 illustration:图名，不能写“{source[:60]}”")
            return {"type": "paragraph", "nodes": [self.text(alt)], "text": alt}
        if not alt:
            self.wrong("图片缺少替代文字")
        self.read.illustrations.append((self.line, name))
        return {"type": "image", "illustration": name, "alt": alt}

    def items(self, node: SyntaxTreeNode, level: int, first: int) -> Iterator[Block]:
        ordered = node.type == "ordered_list"
        number = int(str(node.attrs.get("start", 1)))
        for item in node.children:
            self.line = first + (item.map[0] if item.map else 0)
            lists = [child for child in item.children if child.type in {"bullet_list", "ordered_list"}]
            nodes: list[Node] = []
            actions: list[Node] = []
            for child in item.children:
                if child in lists:
                    continue
                part = self.part(child)
                nodes += [{"name": "br"}, *part["nodes"]] if nodes else part["nodes"]
                actions += part.get("actions", [])
            nodes = _joined(nodes)
            marker = f"{number}." if ordered else "•"
            entry: Block = {"level": level, "marker": marker, "nodes": nodes, "text": _plain(nodes)}
            yield {**entry, "actions": actions} if actions else entry
            number += 1
            for child in lists:
                yield from self.items(child, level + 1, first)

    def part(self, node: SyntaxTreeNode) -> Block:
        """Return what stands inside a list item or a quote, flattened to one run of text."""
        if node.type in {"paragraph", "heading"}:
            return self.lettered(node)
        if node.type in {"fence", "code_block"}:
            text = self.text(node.content.rstrip("\n"))
            return {"nodes": [{"name": "code", "children": [text]}], "text": text["text"]}
        if node.type != "hr":
            self.wrong("列表和引用里只能写文字，不能放表格、图片或另一段引用")
        return {"nodes": [], "text": ""}

    def quoted(self, node: SyntaxTreeNode, first: int) -> Iterator[Block]:
        for child in node.children:
            self.line = first + (child.map[0] if child.map else 0)
            if child.type in {"bullet_list", "ordered_list"}:
                for item in self.items(child, 0, first):
                    mark = self.text(f"{item['marker']} ")
                    nodes = _joined([mark, *item["nodes"]])
                    actions = {"actions": item["actions"]} if "actions" in item else {}
                    yield {"nodes": nodes, "text": _plain(nodes), **actions}
            else:
                part = self.part(child)
                if part["text"]:
                    yield part

    def table(self, node: SyntaxTreeNode) -> Block:
        sections: list[Node] = []
        lines: list[str] = []
        actions: list[Node] = []
        for section in node.children:
            rows: list[Node] = []
            for row in section.children:
                cells = []
                for cell in row.children:
                    letters = self.lettered(cell)
                    actions += letters.get("actions", [])
                    name = "th" if cell.type == "th" else "td"
                    cells.append({"name": name, "children": letters["nodes"]})
                lines.append("，".join(_plain(cell["children"]) for cell in cells))
                rows.append({"name": "tr", "children": cells})
            name = "thead" if section.type == "thead" else "tbody"
            sections.append({"name": name, "children": rows})
        nodes = [{"name": "table", "attrs": {"class": "table"}, "children": sections}]
        block: Block = {"type": "table", "nodes": nodes, "text": "\n".join(lines)}
        return {**block, "actions": actions} if actions else block


def _joined(nodes: list[Node]) -> list[Node]:
    """Put neighbouring texts together, drop empty ones, and let a line end in Chinese text be no space."""
    found: list[Node] = []
    for node in nodes:
        if node.get("type") == "text" and found and found[-1].get("type") == "text":
            found[-1] = {"type": "text", "text": found[-1]["text"] + node["text"]}
        else:
            found.append(node)
    before = ""
    for node in found:
        if node.get("type") == "text":
            text = re.sub(rf"(?<={_WIDE})\n|\n(?={_WIDE})|^\n|\n$", "", node["text"]).replace("\n", " ")
            # **粗体。** 后文: Markdown wants that space, Chinese does not
            text = re.sub(rf"(?<={_WIDE}) +(?={_WIDE})", "", before[-1:] + text)
            node["text"] = text[len(before[-1:]) :]
        before = _plain([node])
    return [node for node in found if node.get("type") != "text" or node["text"]]


def _plain(nodes: list[Node]) -> str:
    said = ""
    for node in nodes:
        if node.get("type") == "text":
            said += node["text"]
        elif node["name"] == "br":
            said += "\n"
        else:
            said += _plain(node.get("children", []))
    return said.strip()


def _too_large(text: str) -> tuple[int, str] | None:
    if len(text) > LONGEST_TEXT:
        return 0, f"正文过长：最多 {LONGEST_TEXT} 个字符"
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return MOST_LINES, f"正文过长：最多 {MOST_LINES} 行"
    for number, line in enumerate(lines):
        # a table repeats its columns in every row, so that a short text can grow a thousandfold
        if line.count("|") > MOST_COLUMNS + 1:
            return number, f"表格过宽：最多 {MOST_COLUMNS} 列"
    return None


@lru_cache(maxsize=512)
def read_markdown(text: str, *, hotline: str, first_line: int = 1) -> Read:
    """Read Markdown (CommonMark, tables, strikethrough; no HTML) into blocks; lines count from `first_line`.

    `{hotline}` becomes `hotline`. What is wrong is listed and left out: whatever comes in, what goes out is safe
    to render. Text so large that reading it would cost seconds is not read at all. What was read is remembered:
    callers must not change it.
    """
    reader = _Reader(hotline)
    large = _too_large(text)
    if large:
        reader.read.errors.append((first_line + large[0], large[1]))
        return reader.read
    reader.blocks(SyntaxTreeNode(_parser().parse(text)), first_line)
    return reader.read


def texts_of(blocks: list[Block]) -> Iterator[tuple[int, str]]:
    """Yield each stretch of plain text with the index of its block; list items and quoted paragraphs one by one."""
    for index, block in enumerate(blocks):
        for part in block.get("items") or block.get("paragraphs") or [block]:
            if part.get("text"):
                yield index, part["text"]


def plain_text(blocks: list[Block]) -> str:
    """Return the text of all blocks, a paragraph a line."""
    return "\n".join(text for _, text in texts_of(blocks))


def field_errors(read: Read, name: str) -> list[FieldError]:
    """Return what is wrong as mistakes of one field, the line in the reason."""
    return [FieldError(name, f"第 {line} 行：{reason}", "bad_markdown") for line, reason in read.errors]
