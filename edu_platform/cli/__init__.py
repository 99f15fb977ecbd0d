"""The platform from a shell: `edu …`, one command a file."""
