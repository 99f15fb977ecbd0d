"""The library's jobs: drawing what pieces show, and moving what the clock moves."""

from edu_platform.library.tasks import drawing, publishing

__all__ = ["drawing", "publishing"]
