"""`make bench` measures everything; `python -m bench PART…` only what is named. Each part keeps its own section."""

from __future__ import annotations

import argparse

from bench import attempts, counting, films, ingest, reading, results, year

PARTS = {
    "reading": reading.measure,
    "ingest": ingest.measure,
    "counting": counting.measure,
    "attempts": attempts.measure,
    "year": year.measure,
    "films": films.measure,
}
"""Each returns its section's text; to be found in the module of that name."""


def main() -> None:
    """Measure the parts named, or all, one after the other; print and keep each as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all when none is named"
    )
    named = parser.parse_args().parts or list(PARTS)
    unknown = [name for name in named if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for name in named:
        text = PARTS[name]()
        print(f"{text}\n", flush=True)
        results.keep(name, text, order=list(PARTS))


if __name__ == "__main__":
    main()
