"""gunicorn as it ships: one process with threads by default; settings choose otherwise."""

from __future__ import annotations

import os
from typing import Any

from edu_platform.factory.entry import settings_here
from edu_platform.factory.parent import end_with_parent

_settings = settings_here()

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = _settings.web_processes
threads = _settings.web_threads
worker_class = "gthread"
timeout = 60
graceful_timeout = 30
keepalive = 15
max_requests = 0
limit_request_line = 8190
limit_request_fields = 64
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:
    """End, in order, when the master is killed: an orphan would hold the port for as long as clients keep it busy."""
    del server
    end_with_parent(worker.ppid)
