"""Articles: Markdown with what to remember, what to do and the law; read as blocks, or read aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.errors import FieldError
from edu_platform.library import pictures
from edu_platform.library.kinds import Shown
from edu_platform.library.meta import KEYS as META_KEYS
from edu_platform.library.meta import (
    PLACEHOLDER,
    check_meta,
    list_errors,
    normal_meta,
    slug_reason,
    text_errors,
    unknown_keys,
)
from edu_platform.library.pictures import Picture
from edu_platform.library.richtext import Block, field_errors, plain_text, read_markdown, texts_of
from edu_platform.library.source import Document, Problems, SourceFile, read_document
from edu_platform.library.speech import sentences, spoken

FRONT_KEYS: Final = frozenset({"remember", "actions", "laws"})
"""The keys of the front matter that belong to the body."""
KEYS: Final = FRONT_KEYS | {"markdown"}
_ANY_HOTLINE: Final = "95519"
LEAST_CHARACTERS, MOST_CHARACTERS = 20, 6_000
REMEMBERED: Final = 3
LONGEST_REMEMBERED: Final = 40
MOST_ACTIONS: Final = 6
LONGEST_ACTION: Final = 60
MOST_LAWS: Final = 8
CHARACTERS_PER_MINUTE: Final = 300
_ARTICLE: Final = re.compile(
    r"第[一二三四五六七八九十百千零]+条(之[一二三四五六七八九十]+)?(第[一二三四五六七八九十]+款)?"
)
_TELEPHONE: Final = re.compile(r"\{hotline\}|(?<!\d)(9[56]\d{3}|1[12]\d|12\d{3})(?![\d元万人天])")


def check_body(body: Mapping[str, Any]) -> list[FieldError]:
    """Return everything that is wrong with an article's body, by path; needs no database."""
    errors = unknown_keys(body, KEYS)
    markdown = body.get("markdown")
    if not isinstance(markdown, str):
        errors.append(FieldError("markdown", "正文应为一段 Markdown 文字", "not_text"))
    else:
        read = read_markdown(markdown, hotline=_ANY_HOTLINE)
        errors += field_errors(read, "markdown")
        if read.blocks or not read.errors:
            errors += _length_errors(read.blocks)
    return errors + check_front(body)


def check_front(value: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with `remember`, `actions` and `laws`, by path."""
    errors: list[FieldError] = []
    for key, least, most, longest in (
        ("remember", REMEMBERED, REMEMBERED, LONGEST_REMEMBERED),
        ("actions", 1, MOST_ACTIONS, LONGEST_ACTION),
    ):
        if value.get(key) is None:
            errors.append(FieldError(key, "缺少这一项", "required"))
            continue
        items, wrong = list_errors(value[key], key, least=least, most=most, unit="条")
        errors += wrong
        for number, item in enumerate(items):
            errors += text_errors(item, f"{key}[{number}]", most=longest, hotline=True)
    if value.get("laws") is None:
        errors.append(FieldError("laws", "缺少这一项", "required"))
        return errors
    items, wrong = list_errors(value["laws"], "laws", least=1, most=MOST_LAWS, unit="条")
    errors += wrong
    for number, law in enumerate(items):
        errors += _law_errors(law, f"laws[{number}]")
    return errors


def _law_errors(law: object, field: str) -> list[FieldError]:
    if not isinstance(law, dict):
        return [FieldError(field, "应写成 {name: 法律全名, article: 第几条}", "not_a_mapping")]
    errors = unknown_keys(law, ("name", "article"), field)
    if law.get("name") is None:
        errors.append(FieldError(f"{field}.name", "缺少法律的名字", "required"))
    else:
        errors += text_errors(law["name"], f"{field}.name", most=60)
        if isinstance(law["name"], str) and re.search("[《》]", law["name"]):
            errors.append(FieldError(f"{field}.name", "不用写书名号", "brackets"))
    article = law.get("article")
    if article is not None and not (isinstance(article, str) and _ARTICLE.fullmatch(article)):
        errors.append(FieldError(f"{field}.article", "应写成第几条，如 第十六条", "not_an_article"))
    return errors


def normal_body(markdown: str, front: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked body as it is stored."""
    return {
        "markdown": markdown.strip("\n"),
        "remember": [item.strip() for item in front["remember"]],
        "actions": [item.strip() for item in front["actions"]],
        "laws": [
            {"name": law["name"].strip(), **({"article": law["article"]} if law.get("article") else {})}
            for law in front["laws"]
        ],
    }


def characters(blocks: list[Block]) -> int:
    """Count the characters of a text, spaces left out."""
    return len(re.sub(r"\s", "", plain_text(blocks)))


def text_problems(document: Document) -> tuple[list[tuple[int, str]], list[Block]]:
    """Return what is wrong with an article's Markdown, by line of its file, and its blocks."""
    read = read_markdown(document.text, hotline=_ANY_HOTLINE, first_line=document.text_line)
    found = list(read.errors)
    for number, text in enumerate(document.text.split("\n"), document.text_line):
        found += [
            (number, f"不认识的占位符 {name}") for name in PLACEHOLDER.findall(text) if name != "{hotline}"
        ]
    return sorted(found), read.blocks


def parse_markdown(text: str) -> tuple[str | None, dict[str, Any], dict[str, Any], list[FieldError]]:
    """Read an uploaded article, written as the files under `content/articles` are: slug, meta, body, mistakes.

    The slug stands in the front matter, or is None. Meta and body are empty when there is a mistake; each mistake
    names its field (`remember[2]`, `markdown` for the text) and in its reason the line. That the column, the
    illustrations and related pieces exist is for whoever drafts it.
    """
    problems = Problems()
    source = SourceFile("markdown.md", text.encode("utf-8", "surrogatepass"))
    document = read_document(source, problems)
    if document is None:
        return None, {}, {}, _by_line(problems)
    front = document.value
    slug = front.get("slug")
    errors = unknown_keys(front, {"slug", *META_KEYS, *FRONT_KEYS})
    if slug is not None and slug_reason(slug):
        errors.append(FieldError("slug", str(slug_reason(slug))))
    errors += check_meta(front, cover=True) + check_front(front)
    for error in errors:
        document.note(problems, error.field, error.reason)
    lines, blocks = text_problems(document)
    for line, reason in lines:
        problems.note(document.file, line, "", reason)
    for error in _length_errors(blocks) if blocks or not lines else ():
        problems.note(document.file, document.text_line, "", error.reason)
    if problems:
        return slug if isinstance(slug, str) else None, {}, {}, _by_line(problems)
    return slug, normal_meta(front), normal_body(document.text, front), []


def _by_line(problems: Problems) -> list[FieldError]:
    return [
        FieldError(problem.path or "markdown", f"第 {problem.line} 行：{problem.reason}")
        for problem in sorted(problems)
    ]


def _length_errors(blocks: list[Block]) -> list[FieldError]:
    size = characters(blocks)
    if LEAST_CHARACTERS <= size <= MOST_CHARACTERS:
        return []
    wanted = f"正文须有 {LEAST_CHARACTERS} 到 {MOST_CHARACTERS} 字，现有 {size} 字"
    return [FieldError("markdown", wanted, "wrong_length")]


def _call(text: str, hotline: str) -> dict[str, Any]:
    """Return an action with the number that its button calls, None when it names none."""
    found = _TELEPHONE.search(text)
    number = None if found is None else (hotline if found[0] == "{hotline}" else found[0])
    return {"text": text.replace("{hotline}", hotline), "number": number}


def law_text(law: Mapping[str, Any]) -> str:
    """Return a law as it is cited: 《name》第几条."""
    return f"《{law['name']}》{law.get('article') or ''}"


def read_aloud(
    title: str, blocks: list[Block], body: Mapping[str, Any], hotline: str
) -> list[dict[str, Any]]:
    """Return what a voice says, sentence by sentence: `part`, `block` (index, or None outside the text), `text`, `say`."""
    found: list[dict[str, Any]] = []

    def add(part: str, block: int | None, text: str) -> None:
        for sentence in sentences(text):
            said = spoken(sentence)
            if said:
                found.append({"part": part, "block": block, "text": sentence, "say": said})

    add("title", None, title)
    for index, text in texts_of(blocks):
        add("body", index, text)
    for part in ("remember", "actions"):
        for item in body[part]:
            add(part, None, item.replace("{hotline}", hotline))
    return found


@dataclass(frozen=True)
class ArticleKind:
    """The kind `article`."""

    settings: Settings
    name: str = "article"
    label: str = "图文"

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        """Return everything that is wrong with a body, unknown illustrations included."""
        del session
        errors = check_body(body)
        for picture in self._illustrations(body):
            if pictures.illustration_digest(self.settings, picture.illustration) is None:
                reason = f"没有名为“{picture.illustration}”的插图"
                errors.append(FieldError("markdown", reason, "unknown_illustration"))
        return errors

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        """Return the digests of the illustrations in the text."""
        del session
        return {
            "illustrations": {
                picture.illustration: pictures.illustration_digest(self.settings, picture.illustration)
                for picture in self._illustrations(body)
            }
        }

    def public_text(self, body: Mapping[str, Any]) -> str:
        """Return the text and what to remember and do."""
        blocks = self._blocks(body)
        lines = [plain_text(blocks), *body["remember"], *body["actions"], *map(law_text, body["laws"])]
        return "\n".join(lines).replace("{hotline}", self.settings.hotline)

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        """Return the same as anyone may read, with what the pictures show."""
        del session
        shown = [f"［图］{block['alt']}" for block in self._blocks(body) if block["type"] == "image"]
        return "\n".join([self.public_text(body), *shown])

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Pin nothing: an article is its body."""
        del session, shown
        return {}

    def is_ready(self, session: Session, shown: Shown) -> bool:
        """Say yes: an article can be read before its pictures are drawn."""
        del session, shown
        return True

    def prepare(self, session: Session, shown: Shown) -> None:
        """Want the cover and the pictures drawn."""
        pictures.want_cover(session, self.settings, shown.meta, piece_id=shown.piece_id)
        for picture in self._illustrations(shown.body):
            pictures.want_picture(session, self.settings, picture, piece_id=shown.piece_id)

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the cover and the minutes it takes to read."""
        return {
            "cover": pictures.show_cover(session, self.settings, shown.meta),
            "reading_minutes": self._minutes(self._blocks(shown.body)),
        }

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return blocks, read-aloud segments, what to remember, what to do, the law, and the card's fields."""
        hotline = self.settings.hotline
        blocks = self._blocks(shown.body)
        aloud = read_aloud(shown.meta["title"], blocks, shown.body, hotline)
        with_pictures = [
            {**block, "picture": self._picture(session, block["illustration"])}
            if block["type"] == "image"
            else block
            for block in blocks
        ]
        return {
            **self.card(session, shown),
            "characters": characters(blocks),
            "blocks": with_pictures,
            "remember": [item.replace("{hotline}", hotline) for item in shown.body["remember"]],
            "actions": [_call(item, hotline) for item in shown.body["actions"]],
            "laws": [
                {"name": law["name"], "article": law.get("article"), "text": law_text(law)}
                for law in shown.body["laws"]
            ],
            "read_aloud": aloud,
        }

    def _blocks(self, body: Mapping[str, Any]) -> list[Block]:
        return read_markdown(body["markdown"], hotline=self.settings.hotline).blocks

    def _picture(self, session: Session, illustration: str) -> dict[str, Any] | None:
        return pictures.shown(pictures.find_picture(session, self.settings, Picture(illustration)))

    def _illustrations(self, body: Mapping[str, Any]) -> list[Picture]:
        markdown = body.get("markdown")
        read = read_markdown(markdown, hotline=_ANY_HOTLINE) if isinstance(markdown, str) else None
        names = dict.fromkeys(name for _, name in read.illustrations) if read else {}
        return [Picture(name) for name in names]

    @staticmethod
    def _minutes(blocks: list[Block]) -> int:
        return max(1, round(characters(blocks) / CHARACTERS_PER_MINUTE))
