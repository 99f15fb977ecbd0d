"""Nothing that runs comes out of what editors write: own injections, arbitrary Markdown, and a real browser."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from types import SimpleNamespace

import marshmallow as ma
import nh3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edu_platform.core.schemas import PlainText
from edu_platform.library import richtext
from edu_platform.library.content.proof_page import render_page
from edu_platform.library.richtext import TRUSTED, read_markdown
from tests.hostile.injections import RUN, corpus, placed
from tests.proofs import note

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CORPUS = corpus()
BLOCKS = {
    "heading": {"level", "nodes", "text", "actions"},
    "paragraph": {"nodes", "text", "actions"},
    "table": {"nodes", "text", "actions"},
    "code": {"nodes", "text"},
    "list": {"ordered", "items"},
    "quote": {"paragraphs"},
    "image": {"illustration", "alt"},
    "call": {"number", "text"},
    "piece": {"slug", "text"},
    "rule": set(),
}
CLASSES = {"link link-call", "link link-piece", "table"}


def blocks_of(markdown):
    return read_markdown(markdown, hotline="95519").blocks


def wrong_nodes(nodes):
    for node in nodes:
        if node.get("type") == "text":
            if set(node) != {"type", "text"} or not isinstance(node["text"], str):
                yield node
        elif (
            node.get("name") not in TRUSTED
            or not set(node) <= {"name", "attrs", "children"}
            or set(node.get("attrs", {})) - {"class"}
            or node.get("attrs", {}).get("class", "table") not in CLASSES
        ):
            yield node
        else:
            yield from wrong_nodes(node.get("children", []))


def wrong_actions(actions):
    for action in actions:
        if action["type"] == "call":
            good = set(action) == {"type", "number", "text"} and re.fullmatch(
                r"[0-9-]{3,15}", action["number"]
            )
        else:
            good = set(action) == {"type", "slug", "text"} and re.fullmatch(r"[a-z0-9-]+", action["slug"])
        if not good:
            yield action


def wrong(blocks):
    """Whatever in these blocks is not one of the few things that are ever made."""
    for block in blocks:
        if block.get("type") not in BLOCKS or not set(block) - {"type"} <= BLOCKS[block["type"]]:
            yield block
            continue
        if block["type"] in {"call", "piece"}:
            yield from wrong_actions([block])
        if block["type"] == "image" and not re.fullmatch(r"[a-z0-9-]+", block["illustration"]):
            yield block
        for part in (block, *block.get("items", []), *block.get("paragraphs", [])):
            yield from wrong_nodes(part.get("nodes", []))
            yield from wrong_actions(part.get("actions", []))


def test_the_corpus_is_large_and_our_own():
    assert len(CORPUS) >= 300
    assert sum(RUN in text for text in CORPUS) >= 150


@pytest.mark.parametrize("part", range(8))
def test_no_injection_becomes_anything_but_text(part):
    found = {}
    for payload in CORPUS[part::8]:
        for place, markdown in placed(payload):
            blocks = blocks_of(markdown)
            for one in wrong(blocks):
                found.setdefault(place, (payload, one))
            told = re.findall(r'"(?:number|slug|illustration)": "([^"]*)"', json.dumps(blocks))
            if set(told) - {"95519", "shield", "a"}:
                found.setdefault(place, (payload, told))
    assert not found


MARKS = st.sampled_from(
    ["\n", "\n\n", "# ", "## ", "- ", "1. ", "> ", "    ", "| a | b |\n|---|---|\n", "|", "`", "```\n", "**", "*", "~~", "[", "](",
     ")", "![", "<", ">", "<b>", "&lt;", "&#60;", "\\", "---\n", "{hotline}", "tel:95519", "piece:a", "illustration:a", "：",
     "字", "a", " ", "\t", "[a]: ", "&#0;", "&#x202e;", "<!--", "]]>"]
)  # fmt: skip
TEXT = st.lists(st.one_of(MARKS, st.text(max_size=6), st.sampled_from(CORPUS)), max_size=30).map("".join)


def holds(markdown):
    read = read_markdown(markdown, hotline="95519")
    assert not list(wrong(read.blocks)), markdown
    shown = json.dumps(read.blocks, ensure_ascii=False)
    assert "{hotline}" not in shown
    assert not re.search("[\0\u202e\ud800-\udfff]", shown)
    assert [reason for _, reason in read.errors] == list(
        dict.fromkeys(reason for _, reason in read.errors)
    ) or read.errors
    for nodes in all_nodes(read.blocks):
        assert richtext._joined([dict(node) for node in nodes]) == nodes, "joining twice changes nothing"
    assert read_markdown.__wrapped__(markdown, hotline="95519") == read


def all_nodes(blocks):
    for block in blocks:
        for part in (block, *block.get("items", []), *block.get("paragraphs", [])):
            if "nodes" in part:
                yield part["nodes"]


@given(TEXT)
@settings(
    max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_any_markdown_becomes_blocks_and_nothing_else(markdown):
    holds(markdown)


@pytest.mark.long
@given(TEXT)
@settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_any_markdown_at_length(markdown):
    note("generated Markdown", texts=1, executable=0)
    holds(markdown)


@given(st.one_of(TEXT, st.text()))
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
def test_cleaning_twice_changes_nothing(text):
    """Text of titles, summaries, questions, comments: what has been taken in is taken in the same again."""
    for lines in (True, False):
        field = PlainText(most=100_000, lines=lines)
        try:
            once = field.deserialize(text)
        except ma.ValidationError:
            continue
        assert field.deserialize(once) == once


# -- in a browser -----------------------------------------------------------------------------------------


def as_html(nodes):
    """Nodes as a client writes them: names and classes as they are, text escaped."""
    written = ""
    for node in nodes:
        if node.get("type") == "text":
            written += html.escape(node["text"])
        else:
            attributes = "".join(
                f' {name}="{html.escape(value)}"' for name, value in node.get("attrs", {}).items()
            )
            written += f"<{node['name']}{attributes}>{as_html(node.get('children', []))}</{node['name']}>"
    return written


def proof_page():
    """The editors' contact sheet with a payload wherever a text of theirs is shown."""
    found = SimpleNamespace
    texts = "".join(CORPUS)
    said = [found(file=texts, line=1, reason=texts)]
    picture = found(url="data:,", width=1, height=1, alt=texts, caption=texts)
    item = found(title=texts, summary=texts, facts=CORPUS, file=texts, slug=texts, problems=said, advice=said,
                 pictures=[picture], scenes=[found(name=texts, seconds=1, moving=1, captions=CORPUS, frames=[picture])])  # fmt: skip
    report = found(problems=said, advice=said, measures=CORPUS)
    return render_page(
        programme=texts, posters=[item], films=[item], report=report, problems=said, advice=said
    )


SHELL = (
    "<!doctype html><meta charset=utf-8><script>hits=[];function hit(n){{hits.push(n);alert(n)}}</script>{}"
)
BUILD = """pages => { const make = nodes => nodes.map(n => { if (n.type === 'text') return document.createTextNode(n.text);
  const e = document.createElement(n.name); for (const [k, v] of Object.entries(n.attrs || {})) e.setAttribute(k, v);
  e.append(...make(n.children || [])); return e; });
  for (const nodes of pages) { const p = document.createElement('div'); p.append(...make(nodes)); document.body.append(p); } }"""
DANGEROUS = """() => [...document.querySelectorAll('body *')].filter(e => !['SCRIPT'].includes(e.tagName) || e.textContent.includes('hit'))
  .flatMap(e => [...e.attributes].filter(a => /^on|^srcdoc$|^style$/i.test(a.name) || /^\\s*(javascript|data:text|vbscript):/i.test(a.value))
  .map(a => e.tagName + ' ' + a.name)).concat([...document.querySelectorAll('body script, svg, math, iframe, object, embed, base, link, meta[http-equiv]')]
  .filter(e => e.tagName !== 'SCRIPT' || e.textContent.includes('hit')).map(e => e.tagName))"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*flags, "--disable-gpu", "--no-first-run"]
        )
        yield started
        started.close()


def shown(browser, body, *, build=None):
    """Show a page; return (dialogs and calls, what in it is dangerous, what it asked for)."""
    page, dialogs, asked = browser.new_page(), [], []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on(
        "request", lambda request: asked.append(request.url) if not request.url.startswith("data:") else None
    )
    page.route("**/*", lambda route: route.abort())
    page.set_content(body, wait_until="domcontentloaded")
    if build is not None:
        page.evaluate(BUILD, build)
    page.evaluate(
        "document.querySelectorAll('a, button, summary').forEach(e => { try { e.click() } catch (_) {} })"
    )
    page.wait_for_timeout(400)
    hits = page.evaluate("typeof hits === 'undefined' ? [] : hits")
    dangerous = page.evaluate(DANGEROUS)
    page.close()
    return dialogs + hits, dangerous, asked


def test_no_dialog_opens_and_no_script_runs_in_a_browser(browser):
    made = {
        json.dumps(part): part
        for payload in CORPUS[::3]
        for _, markdown in placed(payload)
        for part in all_nodes(blocks_of(markdown))
    }
    nodes = list(made.values())
    assert len(nodes) > 1_000
    assert shown(browser, SHELL.format("<body>"), build=nodes) == ([], [], [])
    written = SHELL.format("<body>" + "".join(f"<div>{as_html(one)}</div>" for one in nodes))
    assert shown(browser, written) == ([], [], [])


def test_the_editors_contact_sheet_runs_nothing_but_its_own(browser):
    page = proof_page().replace("<head>", "<head>" + SHELL.format("").removeprefix("<!doctype html>"), 1)
    hits, dangerous, asked = shown(browser, page)
    assert (hits, [one for one in dangerous if one != "SCRIPT"], asked) == ([], [], [])


@pytest.mark.control
def test_markdown_with_html_let_through_runs(browser):
    """The control: the same texts, rendered by the same parser with HTML allowed."""
    parser = MarkdownIt("commonmark", {"html": True})
    written = "".join(f"<div>{parser.render(payload)}</div>" for payload in CORPUS if "<img" in payload)
    hits, dangerous, _ = shown(browser, SHELL.format("<body>" + written))
    assert hits and dangerous


@pytest.mark.control
def test_a_cleaner_that_allows_svg_math_and_style_lets_something_through(browser):
    """The control: never add them to an allow-list."""
    wide = nh3.ALLOWED_TAGS | {"svg", "math", "style", "animate", "set", "use", "a", "mtext", "mglyph"}
    let = "".join(nh3.clean(payload, tags=wide, clean_content_tags={"script"}) for payload in CORPUS)
    assert "<style>" in let or "<svg>" in let
    _, dangerous, asked = shown(browser, SHELL.format("<body>" + let))
    assert dangerous or asked
    narrow = "".join(nh3.clean(payload) for payload in CORPUS)
    assert shown(browser, SHELL.format("<body>" + narrow))[:2] == ([], [])
