"""Reading one file: strictly, with the line of every mistake."""

from __future__ import annotations

import io
import resource
import time
import zipfile

import pytest

from edu_platform.library.source import (
    Problems,
    SourceFile,
    read_document,
    read_markdown,
    read_table,
    read_yaml,
)


def yaml_of(text: str) -> tuple[object, list[tuple[int, str, str]]]:
    problems = Problems()
    read = read_yaml(text, "a.yaml", problems)
    return (read[0] if read else None), [(p.line, p.path, p.reason) for p in problems]


def test_values_are_text_numbers_and_little_else() -> None:
    text = "a: yes\nb: true\nc: 2026-03-01\nd: 12\ne: 012\nf: 1.5\ng: 12:30\nh: null\ni: 'true'\nj: 1e3\nk:\n"
    value, problems = yaml_of(text)
    assert problems == []
    assert value == {
        "a": "yes", "b": True, "c": "2026-03-01", "d": 12, "e": "012", "f": 1.5, "g": "12:30", "h": None,
        "i": "true", "j": "1e3", "k": None,
    }  # fmt: skip


def test_every_path_has_its_line() -> None:
    problems = Problems()
    read = read_yaml(
        "title: x\noptions:\n  - text: 一\n    correct: true\n  - {text: 二}\n", "a.yaml", problems
    )
    assert read is not None
    lines = read[1]
    assert lines["options[0].text"] == 3
    assert lines["options[0].correct"] == 4
    assert lines["options[1].text"] == 5


def test_a_missing_path_has_the_line_of_what_surrounds_it() -> None:
    document = read_document(SourceFile("a.yaml", b"x: 1\nlist:\n  - a: 1\n    b: 2\n"), Problems())
    assert document is not None
    assert document.line("list[0].missing.deeper[3]") == 3
    assert document.line("nowhere") == 1


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "同一个键"),
        ("a: &x 1\n", 1, "锚点"),
        ("a: [1]\nb: *x\n", 2, "别名"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "标签"),
        ("a: !env HOME\n", 1, "标签"),
        ("a: 1\n<<: {b: 1}\n", 2, "合并键"),
        ("a: 1\n---\nb: 2\n", 2, "一份"),
        ("? [a, b]\n: 1\n", 1, "键须是文字"),
        ("a: 1\n b: 2\n", 2, "YAML 写法有误"),
        ("a: [1, 2\n", 1, "YAML 写法有误"),
        ("a: '没有写完\n", 1, "引号"),
        ("a:\n\t- 1\n", 2, "YAML 写法有误"),
        ("a: " + "[" * 20 + "]" * 20 + "\n", 1, "嵌套过深"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, line: int, part: str) -> None:
    value, problems = yaml_of(text)
    assert value is None
    assert len(problems) == 1
    assert problems[0][0] == line
    assert part in problems[0][2]


def test_all_repeated_keys_are_noted() -> None:
    _, problems = yaml_of("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(line, path) for line, path, _ in problems] == [(2, "a"), (3, "b.c")]


def test_a_thousand_laughs_are_refused_at_the_first() -> None:
    text = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"
    started = time.perf_counter()
    value, problems = yaml_of(text)
    assert value is None
    assert problems[0][0] == 1
    assert time.perf_counter() - started < 1


def test_too_many_nodes_are_refused() -> None:
    value, problems = yaml_of("[" + "1," * 70_000 + "]")
    assert value is None
    assert "内容过多" in problems[0][2]


def test_wrong_encoding_and_hidden_characters_have_a_line() -> None:
    problems = Problems()
    assert read_document(SourceFile("a.yaml", "a: 1\nb: 中文\n".encode("gbk")), problems) is None
    assert read_document(SourceFile("b.yaml", "a: 1\nb: x\u202ey\n".encode()), problems) is None
    assert [(p.file, p.line) for p in problems] == [("a.yaml", 2), ("b.yaml", 2)]
    assert "UTF-8" in problems[0].reason
    assert "U+202E" in problems[1].reason


def test_front_matter_keeps_the_lines_of_the_file() -> None:
    document = read_markdown("---\ntitle: x\nsummary: y\n---\n\n正文\n", "a.md", Problems())
    assert document is not None
    assert document.value == {"title": "x", "summary": "y"}
    assert document.line("summary") == 3
    assert (document.text_line, document.text) == (5, "\n正文\n")


@pytest.mark.parametrize("text", ["正文\n", "---\ntitle: x\n", "---\n- a\n---\n", "---\n---\n", ""])
def test_markdown_without_front_matter_is_refused(text: str) -> None:
    problems = Problems()
    assert read_markdown(text, "a.md", problems) is None
    assert problems


# ---- tables


def table_of(name: str, data: bytes) -> tuple[list[tuple[int, dict[str, str]]] | None, Problems]:
    problems = Problems()
    rows = read_table(SourceFile(name, data), problems)
    return (None if rows is None else [(row.line, row.cells) for row in rows]), problems


CSV = '编号,题干,答案\r\nq-1,"两行\n题干",A\r\n\r\nq-2,九五五一九是谁的电话,B\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_csv_is_read_in_every_encoding_that_excel_writes(encoding: str) -> None:
    rows, problems = table_of("bank.csv", CSV.encode(encoding))
    assert problems == []
    assert rows == [
        (2, {"编号": "q-1", "题干": "两行\n题干", "答案": "A"}),
        (5, {"编号": "q-2", "题干": "九五五一九是谁的电话", "答案": "B"}),
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("", 1, "空的"),
        ("编号,题干,编号\n1,2,3\n", 1, "同名"),
        ("编号,,题干\n1,2,3\n", 1, "表头是空的"),
        ("编号,题干\n1,2,3\n", 2, "没有表头"),
        ('编号,题干\n1,"没有写完\n', 2, "引号"),
        ("编号,题干\n1,a\u200bb\n", 2, "U+200B"),
    ],
)
def test_csv_mistakes_have_a_line(text: str, line: int, part: str) -> None:
    rows, problems = table_of("bank.csv", text.encode())
    assert rows is None
    assert problems[0].line == line
    assert part in problems[0].reason


def test_csv_of_no_known_encoding_is_refused() -> None:
    rows, problems = table_of("bank.csv", b"\xff\xff\x00,\x81\n")
    assert rows is None
    assert "编码" in problems[0].reason


def workbook(cells: dict[str, object]) -> bytes:
    """Write the smallest workbook that spreadsheets open: cells by reference."""
    rows: dict[int, list[str]] = {}
    for reference, value in cells.items():
        number = int("".join(filter(str.isdigit, reference)))
        cell = (
            f'<c r="{reference}"><v>{value}</v></c>'
            if isinstance(value, int | float)
            else f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'
        )
        rows.setdefault(number, []).append(cell)
    body = "".join(f'<row r="{n}">{"".join(c)}</row>' for n, c in sorted(rows.items()))
    return packed(f"<sheetData>{body}</sheetData>")


def packed(sheet: str) -> bytes:
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="题库" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}>{sheet}</worksheet>",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def test_a_workbook_is_read_with_its_row_numbers() -> None:
    cells = {"A1": "编号", "B1": "答案", "A2": "q-1", "B2": 95519, "A4": "q-2", "B4": 0.5}
    rows, problems = table_of("bank.xlsx", workbook(cells))
    assert problems == []
    assert rows == [(2, {"编号": "q-1", "答案": "95519"}), (4, {"编号": "q-2", "答案": "0.5"})]


def test_a_workbook_of_two_cells_far_apart_is_refused_and_nothing_dies() -> None:
    bomb = workbook({"A1": "编号", "XFD1048576": "x"})
    assert len(bomb) < 5_000
    started = time.perf_counter()
    rows, problems = table_of("bank.xlsx", bomb)
    assert rows is None
    assert problems[0].reason.startswith(("工作簿", "表格"))
    assert time.perf_counter() - started < 10


def test_a_workbook_that_unpacks_too_large_is_refused_before_it_is_opened() -> None:
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    rows, problems = table_of("bank.xlsx", packed("<sheetData>" + "<row/>" * 9_000_000 + "</sheetData>"))
    assert rows is None
    assert "过大" in problems[0].reason
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime == children


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04nonsense", b"\x00" * 100])
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    rows, problems = table_of("bank.xlsx", data)
    assert rows is None
    assert problems


def test_too_many_rows_are_refused() -> None:
    rows, problems = table_of("bank.csv", b"a\n" + b"1\n" * 6_000)
    assert rows is None
    assert "过大" in problems[0].reason
