"""Verbs: `making` a backup, `restoring` it; `fingerprints`, `sqlite`, `postgresql`, `files` are their parts."""
