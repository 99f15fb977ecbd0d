"""Why a backup or a restore was refused or failed, in words for the operator."""

from __future__ import annotations


class BackupFailed(Exception):
    """Nothing half done stays behind; `str` says in Chinese why."""
