"""What every room stands on: base model, unit of work, clock, vocabulary, errors, problem details,
paging, sealing, outbox and jobs. Knows nothing of pieces, learners or campaigns.
"""

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    # structlog takes rich, 7 MB of it, for tracebacks in colour on a developer's screen; ours are JSON.
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that importing it fails
    try:
        import structlog  # noqa: F401 - loaded now, while rich is not to be had
    finally:
        del sys.modules["rich"]
