"""gunicorn as it ships: one process with threads by default; settings choose otherwise.

The master never keeps a module of the application: after `kill -HUP` its workers load the code that then lies there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Any


def _platform() -> tuple[Any, Any]:
    """Return the settings and the worker, and forget the modules that they come from."""
    from edu_platform.config.installation import environ_with_installation
    from edu_platform.config.settings import Settings
    from edu_platform.factory.serving import Worker

    try:
        return Settings.read(environ_with_installation(os.environ)), Worker
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "edu_platform"]:
            del sys.modules[name]


_chosen, worker_class = _platform()

# glibc gives threads arenas of their own, in which what they let go of stays; ours wait for one another anyway.
_M_ARENA_MAX = -8
if "MALLOC_ARENA_MAX" not in os.environ:
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)

bind = [f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"]
if _chosen.metrics_address:
    bind.append(_chosen.metrics_address)
workers = _chosen.web_processes
threads = _chosen.web_threads
# Where a worker shows that it lives: in memory, for a busy disk must not make it look dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn makes and unlinks its file
timeout = 60
graceful_timeout = 30  # a reload lets requests end that run longer than most
keepalive = 15  # longer than nginx keeps a connection to us
max_requests = 250_000  # whatever leaks, leaks no longer than this
max_requests_jitter = 50_000  # and not all of them start anew at once
backlog = 2048  # during a reload newcomers wait here for the new workers
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
# Whom to believe about address and scheme is EDU_TRUSTED_PROXIES' to say, not gunicorn's.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:
    """Share nothing with the master, and do not outlive it."""
    from edu_platform.factory.parent import end_with_parent

    # in order, when the master is killed: an orphan would hold the port for as long as clients keep it busy
    end_with_parent(worker.ppid)
    if server.cfg.preload_app:
        from edu_platform.factory.entry import forget_connections

        forget_connections(server.app.wsgi())
