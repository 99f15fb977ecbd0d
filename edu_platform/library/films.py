"""Videos: rendered by the platform from a script, or films that were uploaded with their transcript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.errors import FieldError
from edu_platform.library import pictures
from edu_platform.library.kinds import Shown
from edu_platform.library.meta import list_errors, size_errors, text_errors, unknown_keys
from edu_platform.library.posters import house_of
from edu_platform.library.uploads import file_errors, ready_file
from edu_platform.media.models import FileKind, MediaFile
from edu_platform.media.operations import find_derived, recipe_of

if TYPE_CHECKING:
    from edu_platform.media.drawing.film_scripts import FilmScript
    from edu_platform.media.drawing.films import FilmFacts
    from edu_platform.media.drawing.illustrations import Finder
    from edu_platform.media.drawing.posters import House

RENDER_FILM: Final = "library.render_film"
SCRIPT_KEYS: Final = ("size", "sound", "poster_scene", "scenes", "ending")
FILE_KEYS: Final = ("file", "transcript", "captions")
PARTS: Final = ("film", "still", "captions")
MOST_CAPTIONS: Final = 600
LONGEST_FILM_MS: Final = 3_600_000
LONGEST_TRANSCRIPT: Final = 20_000
LONGEST_TEXT, MOST_ITEMS = 100, 40
"""More is refused before it is laid out."""


def check_script(
    data: Mapping[str, Any], settings: Settings | None, *, find: Finder | None
) -> list[FieldError]:
    """Return everything that is wrong with a script (with its title), by path; needs no database.

    Without `settings` it is read for a sample house; without `find` illustrations are not looked up.
    """
    from edu_platform.media.drawing.film_scripts import parse_film
    from edu_platform.media.drawing.posters import SAMPLE_HOUSE

    words = {key: data[key] for key in SCRIPT_KEYS if key in data}
    too_large = size_errors(words, longest=LONGEST_TEXT, most=MOST_ITEMS)
    if too_large:
        return too_large
    house = house_of(settings, review_no=None, day=None) if settings is not None else SAMPLE_HOUSE
    _, problems = parse_film(data, find, house=house)
    return [FieldError(problem.path, problem.reason) for problem in problems]


def normal_body(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked script as it is stored."""
    return {key: data[key] for key in SCRIPT_KEYS if data.get(key) is not None}


def texts_in(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text of a script with its path: captions, bubbles and signs, the ending."""
    for number, scene in enumerate(body["scenes"]):
        for index, caption in enumerate(scene["captions"]):
            yield f"scenes[{number}].captions[{index}]", caption
        for index, element in enumerate(scene["elements"]):
            if isinstance(element.get("text"), str):
                yield f"scenes[{number}].elements[{index}].text", element["text"]
    for key in ("claim", "call"):
        yield f"ending.{key}", body["ending"][key]


def illustrations_in(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the illustrations that a script names, with their paths."""
    for number, scene in enumerate(body["scenes"]):
        for index, element in enumerate(scene["elements"]):
            if element.get("kind") == "illustration":
                yield f"scenes[{number}].elements[{index}].name", element["name"]


def film_of(body: Mapping[str, Any], settings: Settings) -> tuple[FilmScript, House]:
    """Return the parsed script, and in whose name it is; raise CannotDrawError when it is wrong."""
    from edu_platform.media.drawing.film_scripts import parse_film
    from edu_platform.media.drawing.problems import CannotDrawError

    house = house_of(settings, review_no=None, day=None)
    script, problems = parse_film({"title": "题目", **body}, house=house)
    if script is None:
        raise CannotDrawError(problems)
    return script, house


def facts_of(body: Mapping[str, Any], settings: Settings) -> FilmFacts:
    """Return duration, captions and transcript of a script without rendering it."""
    from edu_platform.media.drawing.films import film_facts

    script, house = film_of(body, settings)
    return film_facts(script, house=house)


def film_recipe(shown: Shown, settings: Settings, part: str) -> str:
    """Return the recipe of the film, its still or its captions."""
    if "file" in shown.body:
        return recipe_of(part, shown.body["file"], shown.body["captions"] if part == "captions" else None)
    names = sorted({name for _, name in illustrations_in(shown.body)})
    art = {name: pictures.illustration_digest(settings, name) for name in names}
    house = [settings.issuer, settings.programme, settings.hotline]
    return recipe_of(part, dict(shown.body), art, house, pictures.drawing_fingerprint())


def webvtt(captions: list[dict[str, Any]]) -> str:
    """Return timed captions as WebVTT (W3C): `&` and `<` escaped, no arrow inside a text."""

    def clock(ms: int) -> str:
        seconds, ms = divmod(ms, 1000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"

    cues = []
    for number, caption in enumerate(captions, 1):
        text = caption["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{number}\n{clock(caption['start_ms'])} --> {clock(caption['end_ms'])}\n{text}\n")
    return "\n".join(["WEBVTT\n", *cues])


def _caption_errors(value: object) -> list[FieldError]:
    items, errors = list_errors(value, "captions", least=1, most=MOST_CAPTIONS, unit="条")
    before = 0
    for number, item in enumerate(items):
        where = f"captions[{number}]"
        if not isinstance(item, dict):
            errors.append(FieldError(where, "应写成 start_ms、end_ms、text 三项", "not_a_mapping"))
            continue
        errors += unknown_keys(item, ("start_ms", "end_ms", "text"), where)
        errors += text_errors(item.get("text"), f"{where}.text", most=60, lines=True)
        start: Any = item.get("start_ms")
        end: Any = item.get("end_ms")
        if not (_is_ms(start) and _is_ms(end) and start < end):
            errors.append(FieldError(where, "start_ms、end_ms 应为毫秒整数，先始后终", "not_a_time"))
        elif start < before:
            errors.append(FieldError(where, "与上一条字幕的时间重叠", "out_of_order"))
        else:
            before = end
    return errors


def _is_ms(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LONGEST_FILM_MS


@dataclass(frozen=True)
class VideoKind:
    """The kind `video`."""

    settings: Settings
    name: str = "video"
    label: str = "视频"

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        """Return everything that is wrong with a body: `{file, transcript, captions}`, or a script."""
        if "file" in body:
            errors = unknown_keys(body, FILE_KEYS) + file_errors(session, body, FileKind.FILM)
            errors += text_errors(body.get("transcript"), "transcript", most=LONGEST_TRANSCRIPT, lines=True)
            return errors + _caption_errors(body.get("captions"))
        from edu_platform.media.drawing.illustrations import finder

        find = finder(pictures.illustrations_folder(self.settings))
        return unknown_keys(body, SCRIPT_KEYS) + check_script(
            {"title": "题目", **body}, self.settings, find=find
        )

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        """Return the digest of the film or of the illustrations."""
        del session
        if "file" in body:
            return {"file": body["file"]}
        names = sorted({name for _, name in illustrations_in(body)})
        return {"illustrations": {name: pictures.illustration_digest(self.settings, name) for name in names}}

    def public_text(self, body: Mapping[str, Any]) -> str:
        """Return the transcript."""
        if "file" in body:
            return str(body["transcript"])
        return facts_of(body, self.settings).transcript

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        """Return everything that is said and shown."""
        del session
        captions = [caption["text"] for caption in body.get("captions", ())]
        return "\n".join([self.public_text(body), *captions])

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Pin nothing: a film is its script."""
        del session, shown
        return {}

    def is_ready(self, session: Session, shown: Shown) -> bool:
        """Say whether film, still and captions are there."""
        return len(self._files(session, shown)) == len(PARTS)

    def prepare(self, session: Session, shown: Shown) -> None:
        """Want what is missing rendered; an uploaded film must first have been converted."""
        if self.is_ready(session, shown):
            return
        if "file" not in shown.body or ready_file(session, shown.body) is not None:
            pictures.want(session, RENDER_FILM, revision_id=shown.revision_id)

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the still as cover, and the duration."""
        files = self._files(session, shown)
        film = files.get("film")
        return {
            "cover": pictures.shown(files.get("still")),
            "duration_ms": film.duration_ms if film else None,
        }

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return the film, its poster frame, transcript and timed captions (also as WebVTT)."""
        files = self._files(session, shown)
        vtt = pictures.shown(files.get("captions"))
        return {
            **self.card(session, shown),
            "video": pictures.shown(files.get("film")),
            "poster_frame": pictures.shown(files.get("still")),
            "transcript": self.public_text(shown.body),
            "captions": self.captions(shown),
            "captions_url": vtt["url"] if vtt else None,
        }

    def captions(self, shown: Shown) -> list[dict[str, Any]]:
        """Return what is shown beneath the picture and when: `start_ms`, `end_ms`, `text`."""
        if "file" in shown.body:
            return [dict(caption) for caption in shown.body["captions"]]
        return [
            {"start_ms": start, "end_ms": end, "text": text}
            for start, end, text in facts_of(shown.body, self.settings).captions
        ]

    def _files(self, session: Session, shown: Shown) -> dict[str, MediaFile]:
        found: dict[str, MediaFile] = {}
        for part in PARTS:
            if part == "film" and "file" in shown.body:
                file = ready_file(session, shown.body)
            else:
                file = find_derived(session, film_recipe(shown, self.settings, part))
            if file is not None:
                found[part] = file
        return found
