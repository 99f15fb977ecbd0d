"""Wherever a file comes in: what is hostile is refused, for a reason, within bounds, and the house stands.

The doors are `POST /staff/media` (pictures and films, each looked at by a child process), `POST /staff/banks` and
`edu import` (YAML, CSV, and workbooks, these by a child too), `POST /staff/pieces` (Markdown) and the illustrations (SVG)
of an import.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time
from itertools import islice

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from edu_platform.core.vocabulary import Role
from edu_platform.library.source import Problems, SourceFile, read_table, read_yaml
from edu_platform.media.drawing.illustrations import check_svg
from edu_platform.media.inspection import MEMORY
from tests.cast import staff_member
from tests.hostile import files
from tests.library.content.test_source import packed, workbook
from tests.proofs import note

ADDRESS = "/api/v1/staff/media"
SHORT_BOMBS = ["png 9400² RGBA", "png text of 200 MB", "jpeg 65500²", "gif 65535²",
               "mp4 of 1 TB of samples", "mp4 of atoms in atoms", "mp4 that points at a file", "mkv without end"]  # fmt: skip


@pytest.fixture
def editor(app):
    return staff_member(app, Role.EDITOR)[1]


@pytest.fixture
def upload(client, editor):
    def send(data, name="a.png"):
        # encoded here: what the client encodes, it may leave open
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(data), name)})
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post(ADDRESS, data=body, content_type=kind, headers=editor)

    return send


def refused(answer, name="a.png"):
    """A refusal that names the field and the file and says why, in Chinese, and nothing that was thrown."""
    assert answer.status_code == 422, (answer.status_code, answer.json)
    (error,) = answer.json["errors"]
    assert error["field"] == "file"
    assert "\u4e00" <= error["reason"][-3] <= "\u9fff" or error["reason"].endswith(("。", "）。"))
    assert name in error["reason"]
    assert "Error" not in answer.text and "Traceback" not in answer.text
    return error["code"]


def measured(job, data, tmp_path, *, limited=True):
    """Run the child's work and return (peak memory in MiB, CPU seconds, whether it ended by itself)."""
    (tmp_path / "source").write_bytes(data)
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom edu_platform.media import inspection as i\n"
        f"if {limited}: i._limit({job!r})\n"
        f"try: i._JOBS[{job!r}](Path(sys.argv[1]), Path(sys.argv[2]))\nexcept BaseException: pass\n"
        "status = open('/proc/self/status').read()\n"
        "use = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(int(status.split('VmHWM:')[1].split()[0]) // 1024, use.ru_utime + use.ru_stime)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "source"), str(tmp_path / "target")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = int(child.stdout.split()[0]) if child.returncode == 0 else 0
    return memory, seconds, child.returncode == 0


# -- pictures and films ---------------------------------------------------------------------------------------


def is_film(name):
    return name.startswith(("mp4", "mkv", "avi", "flv", "ts "))


@pytest.mark.parametrize("name", SHORT_BOMBS)
def test_a_bomb_is_refused_within_bounds(upload, client, tmp_path, name):
    data = files.BOMBS[name]()
    assert refused(upload(data)) == "unusable_file"
    assert client.get("/healthz").status_code == 200
    memory, seconds, _ = measured("film" if is_film(name) else "picture", data, tmp_path)
    note("bombs", files=1, refused=1, slowest_cpu_seconds=round(seconds, 1), largest_memory_mb=memory)
    assert memory < 512
    assert seconds < 6  # the kernel counts in ticks: 5 s and the start of Python


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(files.BOMBS.keys() - set(SHORT_BOMBS)))
def test_every_bomb_is_refused_within_bounds(upload, client, tmp_path, name):
    test_a_bomb_is_refused_within_bounds(upload, client, tmp_path, name)


@pytest.mark.control
def test_without_limits_a_bomb_exceeds_them(tmp_path):
    """The control: the same child's work, its limits left out, and the decoder's own."""
    data = files.png(9_400, 9_400, colour=6)
    (tmp_path / "bomb").write_bytes(data)
    program = (
        "import sys\nfrom PIL import Image\nImage.MAX_IMAGE_PIXELS = None\n"
        "opened = Image.open(sys.argv[1])\nopened.convert('RGBA').copy()\n"
        "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "bomb")], capture_output=True, text=True
    )
    assert int(child.stdout) > MEMORY["picture"] >> 20


@pytest.mark.parametrize("name", sorted(files.POSING))
def test_what_poses_as_a_picture_or_film_is_refused_for_what_it_is(upload, client, name):
    code = refused(upload(files.POSING[name](), "照片.png"), "照片.png")
    assert code in {"unknown_type", "unusable_file"}


def test_the_type_is_not_taken_from_the_name_or_the_header(client, editor):
    svg = files.POSING["svg with script"]()
    for kind in ("image/png", "image/svg+xml", "video/mp4", "text/html"):
        answer = client.post(ADDRESS, data={"file": (io.BytesIO(svg), "a.png", kind)}, headers=editor)
        assert refused(answer) == "unknown_type"
    good = client.post(
        ADDRESS, data={"file": (io.BytesIO(files.picture("PNG")), "a.html", "text/html")}, headers=editor
    )
    assert good.json["media_type"] == "image/jpeg"
    kept = client.get(f"{ADDRESS}/{good.json['digest']}/content", headers=editor)
    assert (kept.mimetype, kept.headers["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert "sandbox" in kept.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", sorted(files.CARRYING))
def test_nothing_of_what_a_picture_carried_is_kept(upload, client, editor, settings, name):
    data = files.CARRYING[name]()
    answer = upload(data)
    assert answer.status_code == 201, answer.json
    kept = client.get(f"{ADDRESS}/{answer.json['digest']}/content", headers=editor).data
    for told in (files.CANARY, files.SCRIPT, b"<script", b"PK\x03\x04", b"Exif", b"adobe"):
        assert told not in kept
    with Image.open(io.BytesIO(kept)) as opened:
        opened.load()
        assert set(opened.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive",
                                    "progression", "dpi"}  # fmt: skip
        assert getattr(opened, "n_frames", 1) == 1
    for path in settings.data_dir.rglob("*"):
        if path.is_file() and path.suffix in {".jpg", ".png"}:
            assert files.CANARY not in path.read_bytes()


@pytest.mark.control
def test_a_picture_saved_plainly_keeps_its_comment():
    """The control: opening and saving alone."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(files.CARRYING["jpeg comment"]())) as opened:
        opened.save(buffer, "JPEG")
    assert files.CANARY in buffer.getvalue()


def test_no_name_leads_anywhere(upload, client, editor, settings, tmp_path):
    before = set(settings.data_dir.parent.rglob("*"))
    for name in files.NAMES:
        answer = upload(files.picture("PNG"), name.encode("utf-8", "replace").decode())
        # a line's end ends the part's header: what follows it is no file
        assert answer.status_code == (422 if "\r" in name else 201), (name, answer.json)
        assert "Set-Cookie" not in answer.headers
        bad = upload(b"nonsense", name.encode("utf-8", "replace").decode())
        assert bad.status_code == 422
        assert len(bad.json["errors"][0]["reason"]) < 200
        assert "\u202e" not in bad.text and "\r" not in bad.json["errors"][0]["reason"]
    made = {path for path in settings.data_dir.parent.rglob("*") if path.is_file()} - before
    assert all(settings.data_dir in path.parents or path.name.startswith("live") for path in made)
    assert not any("passwd" in path.name or "htaccess" in path.name for path in made)


def try_mutants(upload, client, count, first=0):
    counted = {201: 0, 422: 0}
    for name, data in files.mutants(count, first=first):
        answer = upload(data)
        assert answer.status_code in counted, (name, answer.status_code, answer.text)
        counted[answer.status_code] += 1
        if answer.status_code == 422 and data:
            refused(answer)
    assert client.get("/readyz").status_code in {200, 503}
    assert client.get("/healthz").status_code == 200
    note("files with something wrong", files=count, taken=counted[201], refused=counted[422], other_answers=0)
    print(f"{count} files from {first}: {counted[201]} taken, {counted[422]} refused")
    return counted


def test_files_with_something_wrong_are_taken_or_refused_and_nothing_else(upload, client):
    counted = try_mutants(upload, client, 24)
    assert counted[422] > 4


@pytest.mark.long
@pytest.mark.parametrize("part", range(14))
def test_1400_files_with_something_wrong(upload, client, part):
    counted = try_mutants(upload, client, 100, first=1_000 + 100 * part)
    assert counted[422] > 20 and counted[201] > 2


@pytest.mark.control
def test_a_handler_that_knows_one_kind_of_error_meets_others():
    """The control: `except OSError` alone, as is often written, lets others through."""
    others = set()
    for _, data in islice(files.mutants(600), 600):
        try:
            with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP", "GIF"]) as opened:
                opened.convert("RGB")
        except OSError:
            continue
        except Exception as other:
            others.add(type(other).__name__)
    assert others


def test_a_real_film_of_full_size_fits_within_the_limits(tmp_path):
    """The bounds are not so narrow that they refuse what people send."""
    data = files.film("mp4", "libx264", side=1920, frames=3)
    memory, seconds, by_itself = measured("film", data, tmp_path)
    assert by_itself and 0 < memory < 512 and seconds < 5
    (tmp_path / "source").write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-m", "edu_platform.media.inspection", "film", str(tmp_path / "source"), "-"],
        capture_output=True,
    )
    assert json.loads(child.stdout)["width"] == 1920


# -- workbooks, tables, YAML, Markdown, SVG --------------------------------------------------------------------

ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
SHEETS = {
    "a dimension without end": packed('<dimension ref="A1:XFD1048576"/><sheetData/>'),
    "two cells far apart": workbook({"A1": "编号", "XFD1048576": "x"}),
    "rows without end": packed("<sheetData>" + "<row/>" * 4_000_000 + "</sheetData>"),
    "a cell of 9 MB": workbook({"A1": "编号", "A2": "字" * 3_000_000}),
    "entities in entities": files.archive(["xl/workbook.xml"], content=f'<!DOCTYPE w [<!ENTITY a0 "x">{ENTITIES}]><w>&a11;</w>'.encode()),
    "an outer entity": files.archive(["xl/workbook.xml"], content=b'<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/passwd">]><w>&a;</w>'),
    "odd places": files.archive(["../../xl/workbook.xml", "/xl/workbook.xml", "C:\\xl"]),
    "a link": files.archive(["xl/workbook.xml"], content=b"/etc/passwd", link=True),
    "a thousand entries": files.archive([f"xl/{n}.xml" for n in range(1_000)]),
    "a zip bomb": files.archive(["xl/workbook.xml"], content=bytes(300 << 20)),
    "cut short": workbook({"A1": "编号"})[:400],
    "a cell of nowhere": workbook({"ZZZZZZ99999999999": "x"}),
    "an old workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4_000,
    "no zip": b"PK\x05\x06" + b"\xff" * 18,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SHEETS))
def test_a_hostile_workbook_is_refused_in_time(name):
    problems = Problems()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = read_table(SourceFile("题库.xlsx", SHEETS[name]), problems)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert rows is None
    assert problems[0].file == "题库.xlsx"
    assert any("\u4e00" <= character <= "\u9fff" for character in problems[0].reason)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 6


def test_changed_workbooks_are_read_or_refused():
    import random

    good = workbook({"A1": "编号", "B1": "题干", "A2": "q-1", "B2": "问"})
    for seed in range(12):
        draw, data = random.Random(seed), bytearray(good)
        for _ in range(draw.choice((1, 3, 30))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        problems = Problems()
        rows = read_table(SourceFile("题库.xlsx", bytes(data)), problems)
        assert (rows is None) == bool(problems)


TEXTS = {
    "laughs": "a: &a [x]\n" + "\n".join(f"b{n}: &b{n} [*a, *a]" for n in range(9)),
    "merged": "a: &a {x: 1}\nb:\n  <<: *a\n",
    "python": "a: !!python/object/apply:os.system ['touch owned']\n",
    "a tag": "a: !include /etc/passwd\n",
    "deep": "[" * 20_000,
    "deep maps": "{a: " * 5_000,
    "deep blocks": "\n".join("  " * n + "a:" for n in range(400)),
    "wide": "[" + "1," * 400_000 + "1]",
    "a long scalar": "a: " + "字" * 200_000,
    "nul": "a: \0",
    "two documents": "a: 1\n---\nb: 2\n",
    "the same key": "a: 1\na: 2\n",
    "colons": ":" * 100_000,
    "an anchor alone": "&a *a",
    "dashes": "- " * 50_000,
    "quotes": '"' * 99_999,
    "nothing": "",
    "directive": "%YAML 9.9\n---\na: 1\n",
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_hostile_yaml_is_refused_quickly(name, client, editor):
    started = time.process_time()
    read_yaml(TEXTS[name], "a.yaml", Problems())
    answer = client.post(
        "/api/v1/staff/banks", json={"format": "yaml", "text": TEXTS[name] or " "}, headers=editor
    )
    assert answer.status_code == 422
    assert any(
        "\u4e00" <= character <= "\u9fff" for error in answer.json["errors"] for character in error["reason"]
    )
    assert time.process_time() - started < 5


TABLES = {
    "columns without end": "," * 300_000,
    "rows without end": "a\n" * 200_000,
    "an open quote": 'id,stem\n"' + "x" * 300_000,
    "quotes": '"' * 100_001,
    "a cell without end": "id\n" + "x" * 800_000,
    "formulas": "id,stem\n=cmd|'/c calc'!A1,x\n",
    "no columns": "\n\n\n",
    "hidden": "id,stem\nq-1,\u202eabc\n",
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_hostile_tables_are_refused_quickly(name, client, editor):
    started = time.process_time()
    answer = client.post(
        "/api/v1/staff/banks", json={"format": "csv", "name": "bank", "text": TABLES[name]}, headers=editor
    )
    assert answer.status_code == 422, answer.text[:300]
    assert time.process_time() - started < 5


FRONT = "---\nslug: {}\ntitle: 先问一问\nsummary: 先问清楚。\naudiences: [elderly]\nrights: [right_to_know]\ncolumn: risk-alerts\n---\n\n"
MARKDOWN = {
    "quotes in quotes": ">" * 50_000,
    "brackets": "[" * 50_000,
    "links in links": "[a](" * 20_000,
    "stars": "*a " * 30_000,
    "underscores": "_a__" * 20_000,
    "backticks": "".join("`" * n for n in range(400)),
    "lists in lists": "\n".join("  " * n + "- a" for n in range(300)),
    "a wide table": "|" * 20_000 + "\n" + "|-" * 20_000 + "|",
    "references": "\n".join(f"[{n}]: piece:a" for n in range(5_000)),
    "entities": "&amp;" * 19_000,
    "open html": "<a " * 30_000,
    "comments": "<!--" * 20_000,
    "emphasis of many": "**a *b " * 12_000,
}


@pytest.mark.parametrize("name", sorted(MARKDOWN))
def test_hostile_markdown_is_answered_quickly(name, client, editor):
    started = time.process_time()
    answer = client.post(
        "/api/v1/staff/pieces",
        data=(FRONT.format(f"slug-{len(name)}") + MARKDOWN[name]).encode(),
        content_type="text/markdown",
        headers=editor,
    )
    assert answer.status_code == 422, answer.text[:300]
    assert time.process_time() - started < 5


SVGS = {
    "script": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script></svg>',
    "handler": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="alert(1)"/>',
    "outer picture": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><image href="file:///etc/passwd"/></svg>',
    "outer use": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><use href="http://127.0.0.1/x.svg#a"/></svg>',
    "foreign": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><foreignObject/></svg>',
    "laughs": b'<!DOCTYPE s [<!ENTITY a "xx"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
    "laughs in UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY a "xx">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>&a;</title></svg>'.encode("utf-16"),
    "outer entity in UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>&a;</title></svg>'.encode("utf-16"),
    "style that loads": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>@import url(http://127.0.0.1/x)</style></svg>',
    "deep": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">' + b"<g>" * 50_000,
    "no svg": b"hello",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SVGS))
def test_a_hostile_illustration_is_refused(name):
    started = time.process_time()
    problems = check_svg(SVGS[name])
    assert problems
    assert any("\u4e00" <= character <= "\u9fff" for character in problems[0].reason)
    assert time.process_time() - started < 5
