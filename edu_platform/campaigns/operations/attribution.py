"""The snapshot that attribution rests on, kept per process until its version changes."""

from __future__ import annotations

import secrets
import threading

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from edu_platform.campaigns import queries
from edu_platform.campaigns.models import Campaign, CampaignState, CampaignVersion, ChannelCode
from edu_platform.campaigns.rules import Carrying, CodeEntry, Snapshot, Window, attribute
from edu_platform.core.driver import Written
from edu_platform.library.models import Placement
from edu_platform.library.operations import touch
from edu_platform.quizzes.operations import settle_campaign
from edu_platform.quizzes.signals import AttemptNews

VERSIONS = str(queries.versions().compile(compile_kwargs={"literal_binds": True}))
"""The statement behind `version`, as text, since it is asked with every write that counts."""
_kept: dict[Engine, Snapshot] = {}
_lock = threading.Lock()


def version(session: Session) -> str:
    """Return a text that changes whenever campaigns, their codes or the pieces they carry change."""
    return version_text(*Written(session.connection()).rows(VERSIONS)[0])


def version_text(campaigns: str | None, catalogue: str | None) -> str:
    """Return the version that a row of `queries.versions` is."""
    return f"{campaigns or ''}.{catalogue or ''}"


def snapshot(session: Session) -> Snapshot:
    """Return the present snapshot; it costs one small query while nothing has changed."""
    engine = session.connection().engine
    present = version(session)
    known = _kept.get(engine)
    if known is not None and known.version == present:
        return known
    # What changes between the two reads has another version, and is loaded by whoever looks next.
    found = _load(session, present)
    with _lock:
        _kept[engine] = found
    return found


def changed(session: Session) -> None:
    """Tell every process that campaigns have changed, once this transaction commits."""
    token = secrets.token_hex(16)
    row = session.get(CampaignVersion, 1)
    if row is None:
        session.add(CampaignVersion(id=1, token=token))
    else:
        row.token = token
    session.flush()
    touch(session)  # the home feed and what pieces say of their campaigns are kept with the catalogue


def on_attempt_started(session: Session, news: AttemptNews) -> None:
    """Settle the campaign that an attempt counts for: the one that held when it began."""
    found = attribute(
        snapshot(session),
        at=news.started_at,
        campaign_code=news.campaign_code,
        channel_code=news.channel_code,
        piece_id=news.piece_id,
    )
    settle_campaign(session, news.attempt_id, found.campaign_code)


def _load(session: Session, present: str) -> Snapshot:
    windows: dict[int, Window] = {}
    for row in session.scalars(select(Campaign).where(Campaign.state != CampaignState.DRAFT)):
        windows[row.id] = Window(row.id, row.code, row.starts_at, row.ends_at)
    by_code = {window.code: window for window in windows.values()}
    codes = {
        row.code: CodeEntry(row.code, windows[row.campaign_id], row.channel, row.landing_piece)
        for row in session.scalars(select(ChannelCode))
        if row.campaign_id in windows
    }
    carriers: dict[int, tuple[Carrying, ...]] = {}
    for placement in session.scalars(select(Placement)):
        campaign = by_code.get(placement.campaign_code)
        if campaign is not None:
            carrying = Carrying(campaign, placement.starts_at, placement.ends_at)
            carriers[placement.piece_id] = (*carriers.get(placement.piece_id, ()), carrying)
    return Snapshot(present, by_code, codes, carriers)
