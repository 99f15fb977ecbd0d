"""`python -m edu_platform.cli` is `edu`."""

from edu_platform.cli import main

main()
