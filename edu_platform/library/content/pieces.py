"""The library's own sections: illustrations, columns, articles, posters, videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.errors import FieldError
from edu_platform.library import articles, films, posters
from edu_platform.library.content.language import Passage, note_duplicates
from edu_platform.library.content.motion import moving_shares
from edu_platform.library.content.reading import note_difficulty
from edu_platform.library.content.sections import (
    Counts,
    Gathered,
    Importer,
    PieceSource,
    Section,
    note_errors,
    read_meta,
    register,
)
from edu_platform.library.meta import slug_reason, text_errors, unknown_keys
from edu_platform.library.models import Column
from edu_platform.library.operations import keep_column
from edu_platform.library.pictures import keep_illustration
from edu_platform.library.richtext import read_markdown as read_blocks
from edu_platform.library.richtext import texts_of
from edu_platform.library.source import Document, Problems, SourceFile, read_document

LEAST_CHARACTERS, MOST_CHARACTERS = 500, 1_500
"""Of the text of an article that ships with the platform."""
SAME_PARAGRAPH: Final = 0.6


def _only(files: Sequence[SourceFile], ending: str, problems: Problems) -> Iterator[SourceFile]:
    for source in files:
        if source.ending == ending:
            yield source
        else:
            problems.note(source.path, 1, "", f"这里只放 .{ending} 文件")


# ---- illustrations


@dataclass(frozen=True, slots=True)
class IllustrationSource:
    """An illustration's name and SVG."""

    name: str
    data: bytes


class IllustrationsSection:
    """`content/illustrations/*.svg`: brought to where the worker draws from."""

    name = "illustrations"
    label = "插图"
    folder = "illustrations"
    order = 5

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[IllustrationSource]:
        """Read the drawings and note what makes one unfit."""
        from edu_platform.media.drawing.illustrations import check_svg

        found = []
        for source in _only(files, "svg", problems):
            reason = slug_reason(source.stem)
            if reason:
                problems.note(source.path, 1, "", f"文件名：{reason}")
            for problem in check_svg(source.data):
                line, _, column = problem.path.partition(":")
                at = int(line) if line.isdigit() and column.isdigit() else 1
                problems.note(source.path, at, "" if column else problem.path, problem.reason)
            found.append(IllustrationSource(source.stem, source.data))
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Nothing shows only when everything has been read."""

    def import_(self, session: Session, parsed: Sequence[IllustrationSource], importer: Importer) -> Counts:
        """Keep every drawing that differs."""
        del session
        counts = Counts()
        for item in parsed:
            counts.add(keep_illustration(importer.settings, item.name, item.data), item.name)
        return counts


# ---- columns


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """A column as `columns.yaml` has it."""

    slug: str
    title: str
    intro: str
    order: int


class ColumnsSection:
    """`content/columns.yaml`."""

    name = "columns"
    label = "栏目"
    folder = "columns.yaml"
    order = 10

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[ColumnSource]:
        """Read the list of columns."""
        found: list[ColumnSource] = []
        for source in files:
            document = read_document(source, problems)
            if document is None:
                continue
            if not isinstance(document.value, list) or not document.value:
                document.note(problems, "", "应为栏目的列表")
                continue
            for number, item in enumerate(document.value):
                errors = self._errors(item, found)
                note_errors(document, errors, problems, f"[{number}]")
                if not errors:
                    column = ColumnSource(
                        item["slug"], item["title"].strip(), item["intro"].strip(), item["order"]
                    )
                    found.append(column)
        return found

    @staticmethod
    def _errors(item: object, before: Sequence[ColumnSource]) -> list[FieldError]:
        if not isinstance(item, dict):
            return [FieldError("", "应写成 slug、title、intro、order 四项")]
        errors = unknown_keys(item, ("slug", "title", "intro", "order"))
        reason = slug_reason(item.get("slug"))
        if reason:
            errors.append(FieldError("slug", reason))
        elif item["slug"] in {column.slug for column in before}:
            errors.append(FieldError("slug", f"栏目“{item['slug']}”写了两次"))
        errors += text_errors(item.get("title"), "title", most=20)
        errors += text_errors(item.get("intro"), "intro", most=200)
        order = item.get("order")
        if not isinstance(order, int) or isinstance(order, bool) or not 0 <= order <= 999:
            errors.append(FieldError("order", "应为 0 到 999 的整数"))
        return errors

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Nothing shows only when everything has been read."""

    def import_(self, session: Session, parsed: Sequence[ColumnSource], importer: Importer) -> Counts:
        """Make or change the columns; none is removed."""
        del importer
        counts = Counts()
        known = set(session.scalars(select(Column.slug)))
        for item in parsed:
            how = keep_column(
                session, slug=item.slug, title=item.title, intro=item.intro, position=item.order
            )
            counts.add(("changed" if item.slug in known else "new") if how else "same", item.slug)
        return counts


# ---- pieces


class _PiecesSection:
    """What the sections of pieces share."""

    name: str

    def import_(self, session: Session, parsed: Sequence[PieceSource], importer: Importer) -> Counts:
        """Bring each piece through draft, review and publication where it differs."""
        counts = Counts()
        for piece in parsed:
            counts.add(importer.bring(session, piece), piece.slug)
        return counts


def read_article(document: Document, problems: Problems) -> PieceSource | None:
    """Read an article's front matter and text, noting every mistake by line; None when there was one."""
    read = read_meta(document, problems, own=articles.FRONT_KEYS, cover=True)
    before = len(problems)
    note_errors(document, articles.check_front(document.value), problems)
    lines, blocks = articles.text_problems(document)
    for line, reason in lines:
        problems.note(document.file, line, "", reason)
    size = articles.characters(blocks)
    if (blocks or not lines) and not LEAST_CHARACTERS <= size <= MOST_CHARACTERS:
        wanted = f"正文须有 {LEAST_CHARACTERS} 到 {MOST_CHARACTERS} 字，现有 {size} 字"
        problems.note(document.file, document.text_line, "", wanted)
    if read is None or len(problems) > before:
        return None
    return PieceSource("article", *read, articles.normal_body(document.text, document.value), document)


class ArticlesSection(_PiecesSection):
    """`content/articles/<slug>.md`."""

    name = "articles"
    label = "图文"
    folder = "articles"
    order = 30

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[PieceSource]:
        """Read every article."""
        found = []
        for source in _only(files, "md", problems):
            document = read_document(source, problems)
            piece = read_article(document, problems) if document else None
            if piece:
                found.append(piece)
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note links and pictures that lead nowhere, and paragraphs that nearly repeat another, over all articles."""
        paragraphs: list[Passage] = []
        for piece in gathered.parsed.get(self.name, []):
            document = piece.document
            read = read_blocks(document.text, hotline=gathered.hotline, first_line=document.text_line)
            for line, slug in read.pieces:
                if slug not in gathered.slugs:
                    problems.note(document.file, line, "", f"链接到的内容“{slug}”不存在")
            for line, name in read.illustrations:
                if name not in gathered.illustrations:
                    problems.note(document.file, line, "", f"没有名为“{name}”的插图")
            own = [
                Passage(document.file, read.block_lines[index], "", text)
                for index, text in texts_of(read.blocks)
            ]
            paragraphs += own
            # the cells of a table are no sentence, though a voice reads them as one
            sentences = [
                replace(passage, text=passage.text.replace("，", "。"))
                if read.blocks[index]["type"] == "table"
                else passage
                for passage, (index, _) in zip(own, texts_of(read.blocks), strict=True)
            ]
            note_difficulty(sentences, piece.meta["audiences"], gathered.advice, problems, file=document.file)
        note_duplicates(paragraphs, problems, what="段落", threshold=SAME_PARAGRAPH)


class PostersSection(_PiecesSection):
    """`content/posters/<slug>.yaml`."""

    name = "posters"
    label = "海报"
    folder = "posters"
    order = 28  # before the articles: a poster is listed when it is drawn, an article before its cover

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[PieceSource]:
        """Read every poster's copy and lay it out, so that text that does not fit shows here."""
        found = []
        for source in _only(files, "yaml", problems):
            document = read_document(source, problems)
            if document is None:
                continue
            read = read_meta(document, problems, own=posters.COPY_KEYS, cover=False)
            if not isinstance(document.value, dict):
                continue
            before = len(problems)
            no_cover(document, problems)
            known = {problem.path.partition("[")[0] for problem in problems.of(source.path)}
            errors = posters.check_copy(document.value, None, find=None)
            # what every piece says about itself has been checked above
            fresh = [error for error in errors if error.field.partition("[")[0] not in known]
            note_errors(document, fresh, problems)
            if read and len(problems) == before:
                found.append(PieceSource("poster", *read, posters.normal_body(document.value), document))
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note illustrations that do not exist."""
        for piece in gathered.parsed.get(self.name, []):
            name = piece.body["illustration"]
            if name not in gathered.illustrations:
                piece.document.note(problems, "illustration", f"没有名为“{name}”的插图")


class VideosSection(_PiecesSection):
    """`content/videos/<slug>.yaml`."""

    name = "videos"
    label = "视频"
    folder = "videos"
    order = 34

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[PieceSource]:
        """Read every script."""
        found = []
        for source in _only(files, "yaml", problems):
            document = read_document(source, problems)
            if document is None:
                continue
            read = read_meta(document, problems, own=films.SCRIPT_KEYS, cover=False)
            if not isinstance(document.value, dict):
                continue
            before = len(problems)
            no_cover(document, problems)
            known = {problem.path.partition("[")[0] for problem in problems.of(source.path)}
            errors = films.check_script(document.value, None, find=None)
            fresh = [error for error in errors if error.field.partition("[")[0] not in known]
            note_errors(document, fresh, problems)
            if read and len(problems) == before:
                found.append(PieceSource("video", *read, films.normal_body(document.value), document))
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note illustrations and parts that do not exist, and scenes in which nothing but captions moves."""
        for piece in gathered.parsed.get(self.name, []):
            before = len(problems)
            for path, name in films.illustrations_in(piece.body):
                if name not in gathered.illustrations:
                    piece.document.note(problems, path, f"没有名为“{name}”的插图")
            if len(problems) == before:
                self._check_motion(piece, gathered, problems)

    @staticmethod
    def _check_motion(piece: PieceSource, gathered: Gathered, problems: Problems) -> None:
        from edu_platform.media.drawing.films import LEAST_MOVING_SHARE
        from edu_platform.media.drawing.problems import CannotDrawError

        try:
            shares = moving_shares(piece.body, illustrations=gathered.drawings, cache=gathered.cache)
        except CannotDrawError as refused:
            for problem in refused.problems:
                piece.document.note(problems, problem.path, problem.reason)
            return
        gathered.moving[piece.slug] = shares
        for number, share in enumerate(shares):
            if share < LEAST_MOVING_SHARE:
                reason = f"除字幕外，画面只有 {share:.1%} 在动，至少要有 {LEAST_MOVING_SHARE:.0%}：请让人或物动起来"
                piece.document.note(problems, f"scenes[{number}]", reason)


def no_cover(document: Document, problems: Problems) -> None:
    """Note a cover where the piece is its own picture."""
    if document.value.get("cover") is not None:
        document.note(problems, "cover", "这种内容的封面由平台生成，不用填写")


def passages_of(piece: PieceSource) -> Iterator[Passage]:
    """Yield the texts of a piece that anyone may read: title, summary, and for the library's own kinds the rest."""
    document = piece.document
    yield from _passages(document, {key: piece.meta[key] for key in ("title", "summary")}, "")
    if piece.kind == "article":
        yield Passage(document.file, document.text_line, "", document.text)
        yield from _passages(document, {key: piece.body[key] for key in ("remember", "actions")}, "")
    elif piece.kind == "poster":
        words = {key: value for key, value in piece.body.items() if key not in {"template", "illustration"}}
        yield from _passages(document, words, "")
    elif piece.kind == "video":
        yield from (
            Passage(document.file, document.line(path), path, text)
            for path, text in films.texts_in(piece.body)
        )


def _passages(document: Document, value: Any, path: str) -> Iterator[Passage]:
    if isinstance(value, str):
        yield Passage(document.file, document.line(path), path, value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _passages(document, item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _passages(document, item, f"{path}[{number}]")


def register_sections() -> None:
    """Register the library's own sections; called by `factory`."""
    own: list[Section] = [
        IllustrationsSection(),
        ColumnsSection(),
        ArticlesSection(),
        PostersSection(),
        VideosSection(),
    ]
    for section in own:
        register(section)
