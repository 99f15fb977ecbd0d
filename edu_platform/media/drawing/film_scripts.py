"""Reading a film's script: what an author writes, checked line by line, made into scenes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edu_platform.media.drawing import stage
from edu_platform.media.drawing.characters import CAST, GESTURES, HANDS, MOODS, Act
from edu_platform.media.drawing.illustrations import NAME, Finder, PartsOf
from edu_platform.media.drawing.lettering import missing_characters
from edu_platform.media.drawing.palette import GROUNDS
from edu_platform.media.drawing.posters import SAMPLE_HOUSE, House
from edu_platform.media.drawing.problems import LONGEST_TEXT, Problem, read_number, read_text, shown
from edu_platform.media.drawing.stage import (
    CAPTION_TOP,
    FLOOR,
    WIDTH,
    Camera,
    Caption,
    Element,
    Move,
    Scene,
    set_caption,
    set_claim,
    set_plate,
)

SECONDS_PER_CHARACTER: Final = 0.2
MOST_SCENES: Final = 30
MOST_ELEMENTS: Final = 24
LONGEST_SCENE: Final = 30.0
LONGEST_FILM: Final = 180.0
_FOREVER: Final = 1e9
_ACTS: Final = (*HANDS, *MOODS, *GESTURES, "walk", "turn")


@dataclass(frozen=True, slots=True)
class Ending:
    """The last seconds: what to do and whom to call; number and names come from the house."""

    claim: str
    call: str
    ground: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FilmScript:
    """A film as its author wrote it, checked. `poster_scene` counts from 1."""

    title: str
    size: tuple[int, int]
    sound: str
    poster_scene: int
    scenes: tuple[Scene, ...]
    ending: Ending


@dataclass(slots=True)
class _Reader:
    """What all parts of a script are read with."""

    problems: list[Problem]
    house: House
    find: Finder | None

    def refuse(self, path: str, reason: str) -> None:
        self.problems.append(Problem(path, reason))

    def choose(self, data: Mapping[str, Any], key: str, known: Sequence[str], default: str, path: str) -> str:
        value = data.get(key, default)
        if value not in known:
            self.refuse(f"{path}.{key}" if path else key, f"不认识“{shown(value)}”，可用：{'、'.join(known)}")
            return default or known[0]
        return str(value)

    def number(
        self, data: Mapping[str, Any], key: str, default: float, bounds: tuple[float, float], path: str
    ) -> float:
        low, high = bounds
        return read_number(data, key, self.problems, path=path, default=default, low=low, high=high)

    def pair(
        self, data: Mapping[str, Any], key: str, default: tuple[float, float] | None, path: str
    ) -> tuple[float, float]:
        value = data.get(key, default)
        right = (
            isinstance(value, list | tuple)
            and len(value) == 2
            and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 5000 for v in value)
        )
        if not right or value is None:
            self.refuse(f"{path}.{key}", "应为两个数，如 [640, 300]")
            return default or (0.0, 0.0)
        return float(value[0]), float(value[1])

    def items(self, data: Mapping[str, Any], key: str, path: str) -> list[tuple[str, Mapping[str, Any]]]:
        value = data.get(key, [])
        where = f"{path}.{key}" if path else key
        if not isinstance(value, list):
            self.refuse(where, "应为一组条目")
            return []
        found: list[tuple[str, Mapping[str, Any]]] = []
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                found.append((f"{where}[{index}]", item))
            else:
                self.refuse(f"{where}[{index}]", "应为一组“名称: 值”")
        return found

    def known(self, data: Mapping[str, Any], keys: set[str], path: str) -> None:
        self.problems.extend(Problem(f"{path}.{key}", "没有这一项") for key in data if key not in keys)

    def letters(self, text: str, path: str) -> str:
        """Fill the placeholder; a text with letters the font lacks becomes empty, its fit unasked."""
        missing = missing_characters(text)
        if missing:
            self.refuse(path, f"字体里没有这些字：{''.join(missing)}")
        for name in sorted(set(re.findall(r"\{([^{}]*)\}", text)) - {"hotline"}):
            self.refuse(path, f"不认识 {{{name}}}，只能用 {{hotline}}")
        return "" if missing else text.replace("{hotline}", self.house.hotline)


def parse_film(
    data: Mapping[str, Any],
    find: Finder | None = None,
    *,
    parts: PartsOf | None = None,
    house: House = SAMPLE_HOUSE,
) -> tuple[FilmScript | None, list[Problem]]:
    """Read a film's script; give it, or None with everything that is wrong with it.

    `find` checks illustrations by name and `parts` tells which parts they have; without them names
    and parts go unchecked until the film is rendered.
    """
    problems: list[Problem] = []
    reader = _Reader(problems, house, find)
    title = read_text(data, "title", problems)
    size = _read_size(data, reader)
    sound = reader.choose(data, "sound", ("pad", "silent"), "pad", "")
    scenes = [_read_scene(item, path, reader) for path, item in reader.items(data, "scenes", "")]
    if not scenes:
        reader.refuse("scenes", "至少要有一个场景")
    if len(scenes) > MOST_SCENES:
        reader.refuse("scenes", f"场景不超过 {MOST_SCENES} 个")
    ending = _read_ending(data, reader)
    poster_scene = int(reader.number(data, "poster_scene", 1, (1, max(1, len(scenes))), ""))
    total = sum(scene.seconds for scene in scenes) + ending.seconds
    if total > LONGEST_FILM:
        reader.refuse("scenes", f"全片 {total:g} 秒，过长，不超过 {LONGEST_FILM:g} 秒")
    if scenes and scenes[0].captions and "？" not in scenes[0].captions[0].text:
        reader.refuse("scenes[0].captions[0]", "第一条字幕应是一个问题，以“？”提出")
    script = FilmScript(title, size, sound, poster_scene, tuple(scenes), ending)
    if parts is not None:
        problems.extend(_check_parts(script, parts))
    return (None if problems else script), problems


def check_illustrations(script: FilmScript, find: Finder, parts: PartsOf) -> list[Problem]:
    """List what is wrong with the illustrations a script names and the parts it moves."""
    problems = [
        Problem(f"{path}.name", found.reason)
        for path, element in _illustrations(script)
        for found in find(element.name)
    ]
    return problems or _check_parts(script, parts)


def _check_parts(script: FilmScript, parts: PartsOf) -> list[Problem]:
    problems: list[Problem] = []
    for path, element in _illustrations(script):
        known = parts(element.name)
        problems.extend(
            Problem(f"{path}.parts.{part}", f"插图没有这个部件，有：{'、'.join(known)}")
            for part in element.parts
            if known and part not in known
        )
    return problems


def _illustrations(script: FilmScript) -> list[tuple[str, Element]]:
    return [
        (f"scenes[{number}].elements[{index}]", element)
        for number, scene in enumerate(script.scenes)
        for index, element in enumerate(scene.elements)
        if element.kind == "illustration"
    ]


def _read_size(data: Mapping[str, Any], reader: _Reader) -> tuple[int, int]:
    value = str(data.get("size", "1280x720"))
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
    if match:
        width, height = int(match[1]), int(match[2])
        if width * 9 == height * 16 and width % 2 == 0 and height % 2 == 0 and width <= 1920:
            return width, height
    reader.refuse("size", "应为 16:9 的偶数尺寸，如 1280x720，最大 1920x1080")
    return 1280, 720


def _read_ending(data: Mapping[str, Any], reader: _Reader) -> Ending:
    value = data.get("ending")
    if not isinstance(value, Mapping):
        reader.refuse("ending", "缺少结尾：写明 claim（怎么做）和 call（找谁）")
        return Ending("", "", "green", 5.0)
    reader.known(value, {"claim", "call", "ground", "seconds"}, "ending")
    claim = read_text(value, "claim", reader.problems, path="ending")
    call = read_text(value, "call", reader.problems, path="ending")
    if len(claim) > 12:
        reader.refuse("ending.claim", f"不超过 12 个字，现在是 {len(claim)} 个")
    filled = reader.letters(claim, "ending.claim")
    if filled and set_claim(filled) is None:
        reader.refuse("ending.claim", "放不下，请改短")
    _check_caption(call, "ending.call", reader)
    ground = reader.choose(value, "ground", list(GROUNDS), "green", "ending")
    return Ending(claim, call, ground, reader.number(value, "seconds", 5.0, (1.0, 12.0), "ending"))


def _check_caption(text: str, path: str, reader: _Reader) -> int:
    filled = reader.letters(text, path)
    if filled and set_caption(filled) is None:
        reader.refuse(path, "字幕过长，最多两行、每行十四个字，请拆成两条")
    return len(filled)


def _read_scene(data: Mapping[str, Any], path: str, reader: _Reader) -> Scene:
    reader.known(data, {"ground", "place", "seconds", "captions", "elements", "camera", "turn"}, path)
    seconds = reader.number(data, "seconds", 4.0, (0.5, LONGEST_SCENE), path)
    captions = _read_captions(data, seconds, path, reader)
    ground = reader.choose(data, "ground", list(GROUNDS), "green", path)
    place = reader.choose(data, "place", stage.PLACES, "plain", path)
    turn = reader.choose(data, "turn", stage.TURNS, "wipe", path)
    elements = [
        element
        for where, item in reader.items(data, "elements", path)
        if (element := _read_element(item, where, seconds, reader)) is not None
    ]
    if len(elements) > MOST_ELEMENTS:
        reader.refuse(f"{path}.elements", f"一个场景里的人和物不超过 {MOST_ELEMENTS} 个")
    if not elements:
        reader.refuse(f"{path}.elements", "场景里要有会动的人或物")
    return Scene(ground, place, seconds, captions, tuple(elements), _read_camera(data, path, reader), turn)


def _read_captions(
    data: Mapping[str, Any], seconds: float, path: str, reader: _Reader
) -> tuple[Caption, ...]:
    value = data.get("captions")
    if not isinstance(value, list) or not value:
        reader.refuse(f"{path}.captions", "每个场景都要有字幕")
        return ()
    texts: list[tuple[str, float]] = []
    for index, text in enumerate(value):
        where = f"{path}.captions[{index}]"
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
            reader.refuse(where, "应为一段不太长的文字")
            continue
        length = _check_caption(text.strip(), where, reader)
        texts.append((text.strip(), length * SECONDS_PER_CHARACTER))
    needed = sum(need for _, need in texts)
    if needed > seconds + 1e-9:
        reader.refuse(f"{path}.seconds", f"字幕需要 {needed:.1f} 秒（每字 0.2 秒），场景只有 {seconds:g} 秒")
    captions: list[Caption] = []
    begin = 0.0
    for text, need in texts:
        end = begin + need * seconds / max(needed, 1e-9)
        captions.append(Caption(begin, end, text))
        begin = end
    return tuple(captions)


def _read_camera(data: Mapping[str, Any], path: str, reader: _Reader) -> Camera:
    middle = (WIDTH / 2, CAPTION_TOP / 2)
    default = Camera((middle[0] - 12, middle[1] + 2, 1.0), (middle[0] + 12, middle[1] - 2, 1.0))
    value = data.get("camera")
    if value is None:
        return default
    where = f"{path}.camera"
    if not isinstance(value, Mapping):
        reader.refuse(where, "应写明 from 和 to，各为 [横, 纵, 远近]")
        return default
    ends: list[tuple[float, float, float]] = []
    for key, fallback in (("from", default.start), ("to", default.end)):
        point = value.get(key, fallback)
        if (
            isinstance(point, list | tuple)
            and len(point) == 3
            and all(isinstance(v, int | float) and abs(v) < 5000 for v in point)
            and 0.9 <= point[2] <= 2.5
        ):
            ends.append((float(point[0]), float(point[1]), float(point[2])))
        else:
            reader.refuse(f"{where}.{key}", "应为 [横, 纵, 远近]，远近在 0.9 到 2.5 之间")
            ends.append(fallback)
    return Camera(ends[0], ends[1])


_COMMON: Final = {"kind", "at", "size", "enter", "enter_at", "leave", "leave_at", "idle", "moves"}
_KINDS: Final[dict[str, tuple[set[str], float, str, str]]] = {
    # kind: its own keys, size when none is given, how it enters, how it idles
    "person": ({"who", "facing", "acts"}, 420.0, "fade", "none"),
    "illustration": ({"name", "parts", "disc"}, 320.0, "pop", "bob"),
    "bubble": ({"text", "tone", "tail"}, 380.0, "pop", "bob"),
    "sign": ({"text", "tone"}, 420.0, "stamp", "sway"),
    "mark": ({"name"}, 120.0, "pop", "pulse"),
    "coins": ({"count", "end", "seconds"}, 64.0, "none", "none"),
}


def _read_element(data: Mapping[str, Any], path: str, seconds: float, reader: _Reader) -> Element | None:
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        reader.refuse(f"{path}.kind", f"不认识“{shown(kind)}”，可用：{'、'.join(_KINDS)}")
        return None
    own, usual_size, usual_enter, usual_idle = _KINDS[kind]
    reader.known(data, _COMMON | own, path)
    x, y = reader.pair(data, "at", (WIDTH / 2, FLOOR if kind == "person" else CAPTION_TOP / 2), path)
    size = reader.number(data, "size", usual_size, (20, 1200), path)
    enter = reader.choose(data, "enter", stage.ENTRANCES, usual_enter, path)
    leave = reader.choose(data, "leave", stage.LEAVINGS, "none", path)
    enter_at = reader.number(data, "enter_at", 0.0, (-5.0, seconds), path)
    leave_at = (
        reader.number(data, "leave_at", seconds, (0.0, seconds), path)
        if "leave" in data and leave != "none"
        else _FOREVER
    )
    who, facing, acts = "", 1, tuple[Act, ...]()
    if kind == "person":
        who = reader.choose(data, "who", list(CAST), "", path)
        facing = -1 if reader.choose(data, "facing", ("left", "right"), "right", path) == "left" else 1
        acts = _read_acts(data, path, seconds, reader)
        # A person does not slide: coming from a side and leaving to one is walking.
        if enter in {"left", "right"}:
            goal, x = x, -size * 0.5 if enter == "left" else WIDTH + size * 0.5
            acts = (Act("walk", enter_at, 1.5, goal), *acts)
            enter = "none"
        if leave in {"left", "right"}:
            acts = (*acts, Act("walk", leave_at, 1.5, -size if leave == "left" else WIDTH + size))
            leave, leave_at = "none", _FOREVER
    name = _read_name(kind, data, path, reader)
    text = ""
    if kind in {"bubble", "sign"}:
        text = read_text(data, "text", reader.problems, path=path)
        filled = reader.letters(text, f"{path}.text")
        if filled and set_plate(filled, size, kind) is None:
            reader.refuse(f"{path}.text", "文字放不进这个宽度，请改短或加大 size")
    parts = _read_parts(data, path, seconds, reader) if kind == "illustration" else {}
    return Element(
        kind=kind,
        x=x,
        y=y,
        size=size,
        enter=enter,
        enter_at=enter_at,
        leave=leave,
        leave_at=leave_at,
        idle=reader.choose(data, "idle", stage.IDLES, usual_idle, path),
        moves=_read_moves(data, "moves", path, seconds, reader),
        parts=parts,
        who=who,
        facing=facing,
        acts=acts,
        name=name,
        text=text,
        tone=reader.choose(data, "tone", stage.TONES, "plain", path),
        tail=reader.choose(data, "tail", ("left", "right", "none"), "none", path),
        disc=reader.choose(data, "disc", ["", *GROUNDS], "", path),
        count=int(reader.number(data, "count", 8, (1, 40), path)),
        end=reader.pair(data, "end", (x, y), path) if kind == "coins" else (x, y),
        seconds=reader.number(data, "seconds", 2.0, (0.5, LONGEST_SCENE), path),
    )


def _read_name(kind: str, data: Mapping[str, Any], path: str, reader: _Reader) -> str:
    if kind == "mark":
        return reader.choose(data, "name", stage.MARKS, "check", path)
    if kind != "illustration":
        return ""
    name = read_text(data, "name", reader.problems, path=path)
    if name and not NAME.fullmatch(name):
        reader.refuse(f"{path}.name", "插图名只能用小写字母、数字和连字符")
    elif name and reader.find is not None:
        reader.problems.extend(Problem(f"{path}.name", found.reason) for found in reader.find(name))
    return name


def _read_acts(data: Mapping[str, Any], path: str, seconds: float, reader: _Reader) -> tuple[Act, ...]:
    acts: list[Act] = []
    for where, item in reader.items(data, "acts", path):
        reader.known(item, {"do", "at", "for", "to"}, where)
        do = reader.choose(item, "do", _ACTS, "", where)
        usual = {"talk": 2.0, "walk": 1.5}.get(do, 1.2)
        acts.append(
            Act(
                do,
                reader.number(item, "at", 0.0, (-5.0, seconds), where),
                reader.number(item, "for", usual, (0.1, LONGEST_SCENE), where),
                reader.number(item, "to", WIDTH / 2, (-1000, 2500), where),
            )
        )
    return tuple(sorted(acts, key=lambda act: act.at))


def _read_parts(
    data: Mapping[str, Any], path: str, seconds: float, reader: _Reader
) -> dict[str, tuple[Move, ...]]:
    value = data.get("parts", {})
    if not isinstance(value, Mapping):
        reader.refuse(f"{path}.parts", "应为“部件名: 动作”")
        return {}
    return {str(name): _read_moves(value, str(name), f"{path}.parts", seconds, reader) for name in value}


def _read_moves(
    data: Mapping[str, Any], key: str, path: str, seconds: float, reader: _Reader
) -> tuple[Move, ...]:
    moves: list[Move] = []
    for where, item in reader.items(data, key, path):
        reader.known(item, {"do", "at", "for", "to", "from", "pivot"}, where)
        do = reader.choose(item, "do", stage.MOVES, "", where)
        at = reader.number(item, "at", 0.0, (-5.0, seconds), where)
        length = reader.number(item, "for", 0.8, (0.05, LONGEST_SCENE), where)
        start: tuple[float, float] | None = None
        to = (0.0, 0.0)
        if do == "move":
            to = reader.pair(item, "to", None, where)
            start = reader.pair(item, "from", None, where) if "from" in item else None
        elif do in {"grow", "turn", "fade"}:
            to = (reader.number(item, "to", 1.0, (-3600, 3600), where), 0.0)
            if "from" in item:
                start = (reader.number(item, "from", 1.0, (-3600, 3600), where), 0.0)
        pivot = reader.pair(item, "pivot", (300.0, 300.0), where)
        moves.append(Move(do, at, length, to, start, pivot))
    return tuple(sorted(moves, key=lambda move: move.at))
