from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from edu_platform.media.drawing.posters import House

CONTENT = Path(__file__).parents[3] / "content"


@pytest.fixture(scope="session")
def content() -> Path:
    return CONTENT


@pytest.fixture(scope="session")
def illustrations() -> Path:
    return CONTENT / "illustrations"


@pytest.fixture(scope="session")
def house() -> House:
    return House(
        issuer="某某人寿保险股份有限公司某某市分公司",
        programme="消保守护",
        hotline="95519",
        review_no="XB-2026-001",
        date=dt.date(2026, 3, 15),
    )
