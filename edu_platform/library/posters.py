"""Posters: drawn by the platform from a template and copy, or a picture that was uploaded.

A drawn poster has two editions, `normal` and `elder` (larger print), each as `phone` (1080 wide), `preview` and `a3`
for the printer; an uploaded picture has the one edition that it is. It is listed with its phone sizes: paper follows
when the worker has nothing better to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.clock import local_day
from edu_platform.core.errors import FieldError
from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library import pictures
from edu_platform.library.kinds import Shown
from edu_platform.library.meta import size_errors, text_errors, unknown_keys
from edu_platform.library.models import Revision
from edu_platform.library.uploads import file_errors, ready_file
from edu_platform.media.models import FileKind, MediaFile
from edu_platform.media.operations import find_derived, recipe_of
from edu_platform.review import queries as review
from edu_platform.review.models import CaseState

if TYPE_CHECKING:
    from edu_platform.media.drawing.illustrations import Finder
    from edu_platform.media.drawing.posters import House, PosterCopy

DRAW_POSTER: Final = "library.draw_poster"
DRAW_PAPER: Final = "library.draw_paper"
COPY_KEYS: Final = (
    "template",
    "claim",
    "points",
    "elder_points",
    "call",
    "elder_call",
    "illustration",
    "alt",
)
FILE_KEYS: Final = ("file", "alt")
EDITIONS: Final = ("normal", "elder")
SIZES: Final = ("phone", "preview")
PAPER: Final = "a3"
PREVIEW_WIDTH: Final = 360
PAPERS: Final = tuple((edition, PAPER) for edition in EDITIONS)
LONGEST_ALT: Final = 300
LONGEST_TEXT, MOST_ITEMS = 60, 12
"""More is refused before it is laid out."""
# as long as any real one, so that what passes the check can be drawn
_SAMPLE_NUMBER, _SAMPLE_DAY = "XB-2026-00000", date(2026, 12, 28)


def house_of(settings: Settings, *, review_no: str | None, day: date | None) -> House:
    """Return who speaks on a poster, and under which review."""
    from edu_platform.media.drawing.posters import House

    return House(
        issuer=settings.issuer,
        programme=settings.programme,
        hotline=settings.hotline,
        review_no=review_no,
        date=day,
    )


def check_copy(
    data: Mapping[str, Any], settings: Settings | None, *, find: Finder | None
) -> list[FieldError]:
    """Return everything that is wrong with a drawn poster: `data` is its copy with title, audiences and rights.

    Without `settings` it is laid out for a sample house with a long name; without `find` the illustration is
    not looked up. Needs no database.
    """
    from edu_platform.media.drawing.posters import SAMPLE_HOUSE, parse_poster

    errors = text_errors(data["alt"], "alt", most=LONGEST_ALT) if isinstance(data.get("alt"), str) else []
    words = {key: data[key] for key in COPY_KEYS if key in data and key != "alt"}
    too_large = size_errors(words, longest=LONGEST_TEXT, most=MOST_ITEMS)
    if too_large:
        return errors + too_large
    house = (
        house_of(settings, review_no=_SAMPLE_NUMBER, day=_SAMPLE_DAY)
        if settings is not None
        else SAMPLE_HOUSE
    )
    _, problems = parse_poster(data, find, house=house)
    return errors + [FieldError(problem.path, problem.reason) for problem in problems]


def normal_body(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked copy as it is stored."""
    body: dict[str, Any] = {key: data[key] for key in COPY_KEYS if data.get(key)}
    return {
        key: [item.strip() for item in value] if isinstance(value, list) else value.strip()
        for key, value in body.items()
    }


def poster_copy(shown: Shown, settings: Settings) -> tuple[PosterCopy, House]:
    """Return what is drawn of a revision, and in whose name; raise CannotDrawError when it cannot be."""
    from edu_platform.media.drawing.posters import parse_poster
    from edu_platform.media.drawing.problems import CannotDrawError

    house = _house(shown, settings)
    copy, problems = parse_poster(_whole(shown), house=house)
    if copy is None:
        raise CannotDrawError(problems)
    return copy, house


def _whole(shown: Shown) -> dict[str, Any]:
    return {**{key: shown.meta[key] for key in ("title", "audiences", "rights")}, **shown.body}


def _house(shown: Shown, settings: Settings) -> House:
    day = shown.frozen.get("date")
    return house_of(
        settings,
        review_no=shown.frozen.get("review_no"),
        day=date.fromisoformat(day) if day else None,
    )


def paper_facts() -> dict[str, int]:
    """Return what a printer must know of a picture for paper: the trimmed size, the bleed on each side, the resolution."""
    from edu_platform.media.drawing import posters as drawn

    return {
        "width_mm": drawn.A3_WIDTH_MM,
        "height_mm": drawn.A3_HEIGHT_MM,
        "bleed_mm": drawn.BLEED_MM,
        "dpi": drawn.DOTS_PER_INCH,
    }


def poster_recipe(shown: Shown, settings: Settings, edition: str, size: str) -> str:
    """Return the recipe of one rendition: the copy, the illustration's bytes, the house, the drawing code."""
    if "file" in shown.body:
        return recipe_of("poster-preview", shown.body["file"], PREVIEW_WIDTH)
    art = pictures.illustration_digest(settings, str(shown.body["illustration"]))
    house = [settings.issuer, settings.programme, settings.hotline, dict(shown.frozen)]
    return recipe_of("poster", edition, size, _whole(shown), art, house, pictures.drawing_fingerprint())


@dataclass(frozen=True)
class PosterKind:
    """The kind `poster`."""

    settings: Settings
    name: str = "poster"
    label: str = "海报"

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        """Return everything that is wrong with a body: `{file, alt}`, or a template with its copy."""
        if "file" in body:
            errors = unknown_keys(body, FILE_KEYS) + file_errors(session, body, FileKind.PICTURE)
            return errors + text_errors(body.get("alt"), "alt", most=LONGEST_ALT)
        from edu_platform.media.drawing.illustrations import finder

        errors = unknown_keys(body, COPY_KEYS)
        find = finder(pictures.illustrations_folder(self.settings))
        # the first right stands on a poster of template `right`; a body does not know which it will be
        rights = list(Right) if body.get("template") == "right" else [Right.EDUCATION]
        found: list[FieldError] = []
        for right in rights:
            whole = {
                "title": "题目",
                "audiences": [a.value for a in Audience],
                "rights": [right.value],
                **body,
            }
            found += [e for e in check_copy(whole, self.settings, find=find) if e not in found]
        return errors + found

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        """Return the digest of the picture or of the illustration."""
        del session
        if "file" in body:
            return {"file": body["file"]}
        name = str(body["illustration"])
        return {"illustrations": {name: pictures.illustration_digest(self.settings, name)}}

    def public_text(self, body: Mapping[str, Any]) -> str:
        """Return what stands on the poster and what it shows."""
        lines = [body.get("claim", ""), *body.get("points", ()), body.get("call", ""), body["alt"]]
        return "\n".join(line for line in lines if line).replace("{hotline}", self.settings.hotline)

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        """Return the same with the words of the elder edition."""
        del session
        elder = [*body.get("elder_points", ()), body.get("elder_call", "")]
        return "\n".join([self.public_text(body), *(line for line in elder if line)])

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Pin the number and the day of the review that the poster bears."""
        revision = session.get_one(Revision, shown.revision_id)
        case = session.scalar(review.about(f"piece:{shown.piece_id}", revision.digest).limit(1))
        if case is None or case.state is not CaseState.APPROVED or case.decided_at is None:
            return {}
        day = local_day(case.decided_at)
        return {"review_no": f"XB-{day.year}-{case.id:05d}", "date": day.isoformat()}

    def is_ready(self, session: Session, shown: Shown) -> bool:
        """Say whether every rendition for a screen is there."""
        return self._has(session, shown, self._wanted(shown))

    def prepare(self, session: Session, shown: Shown) -> None:
        """Want the missing renditions drawn; an uploaded picture must first have been inspected."""
        drawn = "file" not in shown.body
        if not self.is_ready(session, shown) and (drawn or ready_file(session, shown.body) is not None):
            pictures.want(session, DRAW_POSTER, revision_id=shown.revision_id)
        if drawn and not self._has(session, shown, PAPERS):
            pictures.want(session, DRAW_PAPER, revision_id=shown.revision_id)

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the preview as cover, and the text for those who cannot see it."""
        preview = self._files(session, shown).get(("normal", "preview"))
        return {"cover": pictures.shown(preview), "alt": shown.body["alt"]}

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the renditions, what the poster says, and the number that it asks to call.

        One for paper says how large it is printed: `paper`, with the trimmed size and the bleed around it.
        """
        files = self._files(session, shown)
        body = {
            key: self._filled(shown.body[key]) for key in ("claim", "points", "call") if key in shown.body
        }
        return {
            **self.card(session, shown),
            "renditions": [
                {
                    "edition": edition,
                    "size": size,
                    **(pictures.shown(file) or {}),
                    **({"paper": paper_facts()} if size == PAPER else {}),
                }
                for (edition, size), file in files.items()
            ],
            **body,
            "review_no": shown.frozen.get("review_no"),
        }

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        return str(value).replace("{hotline}", self.settings.hotline)

    @staticmethod
    def _wanted(shown: Shown) -> list[tuple[str, str]]:
        editions = EDITIONS[:1] if "file" in shown.body else EDITIONS
        return [(edition, size) for edition in editions for size in SIZES]

    def _has(self, session: Session, shown: Shown, wanted: Sequence[tuple[str, str]]) -> bool:
        return self._files(session, shown).keys() >= set(wanted)

    def _files(self, session: Session, shown: Shown) -> dict[tuple[str, str], MediaFile]:
        found: dict[tuple[str, str], MediaFile] = {}
        for edition, size in [*self._wanted(shown), *(() if "file" in shown.body else PAPERS)]:
            if "file" in shown.body and size == "phone":
                file = ready_file(session, shown.body)
            else:
                file = find_derived(session, poster_recipe(shown, self.settings, edition, size))
            if file is not None:
                found[edition, size] = file
        return found
