from __future__ import annotations

from pathlib import Path

from edu_platform.media.drawing.fingerprint import digest_of, fingerprint


def test_it_is_stable_and_changes_with_code_font_and_library(tmp_path: Path) -> None:
    code, font = tmp_path / "a.py", tmp_path / "font.ttc"
    code.write_text("x = 1")
    font.write_bytes(b"letters")
    first = digest_of([code], [font], ["skia==1"])
    assert digest_of([code], [font], ["skia==1"]) == first
    assert digest_of([code], [font], ["skia==2"]) != first
    code.write_text("x = 2")
    assert digest_of([code], [font], ["skia==1"]) != first
    font.write_bytes(b"other letters")
    assert len({first, digest_of([code], [font], ["skia==1"])}) == 2
    assert fingerprint() == fingerprint()
