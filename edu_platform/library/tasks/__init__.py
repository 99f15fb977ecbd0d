"""The library's jobs."""

from edu_platform.library.tasks import publishing

__all__ = ["publishing"]
