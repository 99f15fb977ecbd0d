"""Read one source file (of `content/`, or uploaded) strictly and remember on which line everything stands.

YAML is read from its events, so nothing is ever constructed but text, numbers, true, false, null, lists
and mappings: no tags, no anchors, no aliases, no merge keys, no second key of the same name. Only `true`
and `false` are booleans, and dates stay text. Tables are CSV (UTF-8, with or without BOM, or GB 18030)
or the first sheet of a workbook, which a child process with tight limits opens (`workbook.py`).
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from edu_platform.core.schemas import hostile_character

LARGEST_FILE: Final = 2_000_000
"""Bytes of one source file."""
DEEPEST: Final = 16
MOST_NODES: Final = 60_000
MOST_ROWS: Final = 5_000
MOST_COLUMNS: Final = 40
LONGEST_CELL: Final = 4_000
WALL_SECONDS: Final = 15

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS: Final[dict[str, Any]] = {"": None, "~": None, "null": None, "true": True, "false": False}
_FENCE: Final = re.compile(r"---[ \t]*")

_YAML_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: in which file (relative to the root), on which line, at which path, and why, in Chinese."""

    file: str
    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        """Return `file:line: path: reason`, as compilers do, so that editors can jump to it."""
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}: {where}{self.reason}"


class Problems(list[Problem]):
    """What has been found wrong so far, over all files."""

    def note(self, file: str, line: int, path: str, reason: str) -> None:
        """Add one mistake, once."""
        found = Problem(file, max(line, 1), path, reason)
        if found not in self:
            self.append(found)

    def of(self, file: str) -> list[Problem]:
        """Return the mistakes of one file."""
        return [problem for problem in self if problem.file == file]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path relative to the root, with `/`, and its bytes."""

    path: str
    data: bytes = field(repr=False)

    @property
    def stem(self) -> str:
        """Return the file's name without its ending: the slug of a piece."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    @property
    def ending(self) -> str:
        """Return the file's ending in lower case, without the dot."""
        return self.path.rsplit(".", 1)[-1].lower() if "." in self.path.rsplit("/", 1)[-1] else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that has been read: its value, the line of each path in it, and for Markdown the text below."""

    file: str
    value: Any
    lines: dict[str, int] = field(repr=False)
    text: str = ""
    text_line: int = 1

    def line(self, path: str) -> int:
        """Return the line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.lines.get(path, 1)

    def note(self, problems: Problems, path: str, reason: str) -> None:
        """Add a mistake at `path` in this file."""
        problems.note(self.file, self.line(path), path, reason)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: on which line of the file (or row of the sheet), and its cells by column."""

    line: int
    cells: dict[str, str]


def decode(source: SourceFile, problems: Problems) -> str | None:
    """Return the text of a UTF-8 file, with line feeds alone as line ends; note and return None when it is not."""
    if len(source.data) > LARGEST_FILE:
        problems.note(source.path, 1, "", f"文件过大：最多 {LARGEST_FILE // 1_000_000} MB")
        return None
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        line = source.data[: bad.start].count(b"\n") + 1
        problems.note(source.path, line, "", "不是 UTF-8 编码的文字，请另存为 UTF-8")
        return None
    return _clean(text, source.path, problems)


def _clean(text: str, file: str, problems: Problems) -> str | None:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    good = True
    for number, line in enumerate(text.split("\n"), 1):
        found = hostile_character(line, lines=True)
        if found:
            problems.note(file, number, "", f"含有不允许的字符 {found}")
            good = False
    return text if good else None


def _scalar(value: str, *, plain: bool) -> Any:
    if not plain:
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _INTEGER.fullmatch(value):
        return int(value)
    if _FLOAT.fullmatch(value) and len(value) < 32:
        return float(value)
    return value


_YAML_REASONS: Final = (
    ("found character '\\t'", "缩进只能用空格，不能用制表符"),
    ("found a tab character", "缩进只能用空格，不能用制表符"),
    ("mapping values are not allowed", "这里不能再出现冒号；含冒号的文字请加引号"),
    ("could not find expected ':'", "缺少冒号；多行文字请加引号或用 |"),
    ("expected <block end>", "缩进没有对齐，或少了一个 - 号"),
    ("did not find expected '-' indicator", "缩进没有对齐，或少了一个 - 号"),
    ("did not find expected key", "缩进没有对齐，或引号没有配对"),
    ("did not find expected ',' or", "方括号或花括号没有写完；含逗号、括号的文字请加引号"),
    ("expected ',' or", "方括号或花括号没有写完；含逗号、括号的文字请加引号"),
    ("did not find expected node content", "这里缺少内容，或有应加引号的符号"),
    ("unexpected end of stream", "引号没有配对"),
    ("cannot start any token", "有应加引号的符号"),
    ("special characters are not allowed", "含有不允许的字符"),
    ("unknown escape", "双引号里的反斜杠写法不对"),
    ("did not find expected alphabetic", "以 & 或 * 开头的文字请加引号"),
)


def _yaml_reason(problem: str) -> str:
    for part, reason in _YAML_REASONS:
        if part in problem:
            return f"YAML 写法有误：{reason}"
    return f"YAML 写法有误（{problem}）"


class _Refused(Exception):
    """A construct that is valid YAML but not taken here."""

    def __init__(self, line: int, path: str, reason: str) -> None:
        super().__init__(reason)
        self.line, self.path, self.reason = line, path, reason


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    path: str
    key: str | None = None

    def next_path(self) -> str:
        if isinstance(self.value, list):
            return f"{self.path}[{len(self.value)}]"
        return f"{self.path}.{self.key}" if self.path else str(self.key)


def read_yaml(
    text: str, file: str, problems: Problems, *, first_line: int = 1
) -> tuple[Any, dict[str, int]] | None:
    """Return the value of a YAML text and the line of every path (`options[2].text`); note and return None if refused.

    `first_line` is the line of the file on which `text` begins. Of repeated keys every one is noted.
    """
    lines: dict[str, int] = {}
    before = len(problems)
    try:
        value = _build(text, lines, first_line, file, problems)
    except _Refused as refused:
        problems.note(file, refused.line, refused.path, refused.reason)
        return None
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None) or getattr(bad, "context_mark", None)
        line = first_line + (mark.line if mark else 0)
        line = min(line, first_line + text.rstrip("\n").count("\n"))
        problems.note(file, line, "", _yaml_reason(str(getattr(bad, "problem", None) or bad)))
        return None
    return (value, lines) if len(problems) == before else None


def _build(text: str, lines: dict[str, int], first: int, file: str, problems: Problems) -> Any:
    stack: list[_Open] = []
    root: list[Any] = []
    nodes = documents = 0
    for event in yaml.parse(text, Loader=_YAML_LOADER):
        line = first + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused(line, "", "一个文件里只能有一份 YAML，不能再用 --- 分隔")
            continue
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            closed = stack.pop()
            _place(stack, root, closed.value)
            continue
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, stack[-1].path if stack else "", "不能使用别名（*）")
        if not isinstance(event, yaml.NodeEvent):
            continue
        nodes += 1
        if nodes > MOST_NODES:
            raise _Refused(line, "", f"内容过多：最多 {MOST_NODES} 项")
        top = stack[-1] if stack else None
        where = "" if top is None else top.path
        if event.anchor is not None:
            raise _Refused(line, where, "不能使用锚点（&）")
        if getattr(event, "tag", None) not in {None, "!"}:
            raise _Refused(line, where, "不能使用标签（!）")
        if top is not None and isinstance(top.value, dict) and top.key is None:
            said = _take_key(top, event, line, lines)
            if said is not None:
                problems.note(file, line, said, "同一个键写了两次")
            continue
        path = "" if top is None else top.next_path()
        lines.setdefault(path, line)
        if isinstance(event, yaml.ScalarEvent):
            plain = (
                bool(event.implicit[0]) and not event.style
            )  # the C parser says "" where the other says None
            _place(stack, root, _scalar(event.value, plain=plain))
            continue
        if len(stack) >= DEEPEST:
            raise _Refused(line, path, f"嵌套过深：最多 {DEEPEST} 层")
        stack.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], path))
    return root[0] if root else None


def _take_key(top: _Open, event: yaml.NodeEvent, line: int, lines: dict[str, int]) -> str | None:
    """Take the next key of a mapping; return its path when the mapping has it already."""
    if not isinstance(event, yaml.ScalarEvent):
        raise _Refused(line, top.path, "键须是文字；以 { 或 [ 开头的文字请加引号")
    if event.value == "<<":
        raise _Refused(line, top.path, "不能使用合并键（<<）")
    assert isinstance(top.value, dict)
    top.key = event.value
    path = top.next_path()
    if event.value in top.value:
        return path
    lines[path] = line
    top.value[event.value] = None
    return None


def _place(stack: list[_Open], root: list[Any], value: Any) -> None:
    if not stack:
        root.append(value)
    elif isinstance(stack[-1].value, list):
        stack[-1].value.append(value)
    else:
        key = stack[-1].key
        assert key is not None
        stack[-1].value[key] = value
        stack[-1].key = None


def read_document(source: SourceFile, problems: Problems) -> Document | None:
    """Read a `.yaml` file, or the front matter and text of a `.md` file; note and return None when it cannot be read.

    The value of a `.md` file, and of a `.yaml` file of a piece, must be a mapping; callers that take a list
    look at `Document.value` themselves.
    """
    text = decode(source, problems)
    if text is None:
        return None
    if source.ending == "md":
        return read_markdown(text, source.path, problems)
    read = read_yaml(text, source.path, problems)
    return None if read is None else Document(source.path, read[0], read[1])


def read_markdown(text: str, file: str, problems: Problems) -> Document | None:
    """Part front matter from text: the file begins with a line `---` and the front matter ends with the next one."""
    lines = text.split("\n")
    if not _FENCE.fullmatch(lines[0]):
        problems.note(file, 1, "", "文件须以一行 --- 开头，接着写题目等信息，再以一行 --- 结束")
        return None
    end = next((n for n, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        problems.note(file, 1, "", "题目等信息没有以一行 --- 结束")
        return None
    read = read_yaml("\n".join(lines[1:end]), file, problems, first_line=2)
    if read is None:
        return None
    if not isinstance(read[0], dict):
        problems.note(file, 2, "", "两行 --- 之间须写成“键: 值”")
        return None
    return Document(file, read[0], read[1], "\n".join(lines[end + 1 :]), end + 2)


def read_table(source: SourceFile, problems: Problems) -> list[Row] | None:
    """Read a `.csv` or `.xlsx` file whose first row names the columns; note and return None when it is refused.

    Cells are trimmed text (NFC); rows without any text are left out. A number is written as a person would
    (95519, not 95519.0).
    """
    if len(source.data) > LARGEST_FILE:
        problems.note(source.path, 1, "", f"文件过大：最多 {LARGEST_FILE // 1_000_000} MB")
        return None
    grid = _csv_rows(source, problems) if source.ending == "csv" else _sheet_rows(source, problems)
    if grid is None:
        return None
    return _named(grid, source.path, problems)


def _named(grid: list[tuple[int, list[str]]], file: str, problems: Problems) -> list[Row] | None:
    rows = [(line, [_cell(cell) for cell in cells]) for line, cells in grid]
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        problems.note(file, 1, "", "表格是空的")
        return None
    before = len(problems)
    head_line, head = rows[0]
    while head and not head[-1]:
        head = head[:-1]
    for number, name in enumerate(head):
        if not name:
            problems.note(file, head_line, f"第 {number + 1} 列", "表头是空的")
        elif name in head[:number]:
            problems.note(file, head_line, name, "表头里有两列同名")
    if len(head) > MOST_COLUMNS or len(rows) > MOST_ROWS:
        problems.note(file, head_line, "", f"表格过大：最多 {MOST_ROWS} 行、{MOST_COLUMNS} 列")
    found = []
    for line, cells in rows[1:]:
        if any(cells[len(head) :]):
            problems.note(file, line, "", f"多出了没有表头的第 {len(head) + 1} 列")
        for name, cell in zip(head, cells, strict=False):
            bad = hostile_character(cell, lines=True)
            if bad:
                problems.note(file, line, name, f"含有不允许的字符 {bad}")
            if len(cell) > LONGEST_CELL:
                problems.note(file, line, name, f"文字过长：最多 {LONGEST_CELL} 字")
        padded = cells + [""] * (len(head) - len(cells))
        found.append(Row(line, dict(zip(head, padded, strict=False))))
    return found if len(problems) == before else None


def _cell(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).strip()


def _csv_rows(source: SourceFile, problems: Problems) -> list[tuple[int, list[str]]] | None:
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = source.data.decode("gb18030")
        except UnicodeDecodeError as bad:
            line = source.data[: bad.start].count(b"\n") + 1
            problems.note(source.path, line, "", "编码无法识别：请存为 UTF-8 或 GBK")
            return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            rows.append((start, cells))
            start = reader.line_num + 1
            if len(rows) > MOST_ROWS:
                problems.note(source.path, start, "", f"表格过大：最多 {MOST_ROWS} 行")
                return None
    except csv.Error:
        problems.note(source.path, start, "", "CSV 写法有误：引号没有配对")
        return None
    return rows


def _zip_reason(data: bytes) -> str | None:
    """Return why a workbook's archive is refused before anything parses it, or None."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError):
        return "不是有效的 Excel 工作簿（.xlsx）"
    if len(entries) > 500 or sum(entry.file_size for entry in entries) > 50_000_000:
        return "工作簿解压后过大"
    return None


def _sheet_rows(source: SourceFile, problems: Problems) -> list[tuple[int, list[str]]] | None:
    reason = _zip_reason(source.data)
    if reason:
        problems.note(source.path, 1, "", reason)
        return None
    command = [sys.executable, "-I", str(Path(__file__).with_name("workbook.py"))]
    try:
        # a child: a crafted workbook makes the parser abort the whole process, which no except can catch
        child = subprocess.run(
            [*command, str(MOST_ROWS), str(MOST_COLUMNS)],
            input=source.data,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=True,
        )
        answer = json.loads(child.stdout)
    except (subprocess.SubprocessError, ValueError):
        problems.note(source.path, 1, "", "工作簿无法读取：已损坏，或大得超出限制")
        return None
    if "refused" in answer:
        problems.note(source.path, 1, "", str(answer["refused"]))
        return None
    return [(number, row) for number, row in enumerate(answer["rows"], 1)]


def files_under(root: Path, folder: str) -> Iterator[SourceFile]:
    """Yield the files of one folder (or the one file) under `root`, in order of name; hidden ones are left out."""
    place = root / folder
    found = [place] if place.is_file() else sorted(p for p in place.glob("*") if p.is_file())
    for path in found:
        if not path.name.startswith((".", "~")):
            with path.open("rb") as opened:
                yield SourceFile(path.relative_to(root).as_posix(), opened.read(LARGEST_FILE + 1))
