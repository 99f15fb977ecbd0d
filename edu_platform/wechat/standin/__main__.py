"""`python -m edu_platform.wechat.standin --port 8100 [--data FILE] [--page pages/…]`."""

import argparse
import os
from contextlib import suppress
from pathlib import Path

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.wechat.standin.server import serve


def main() -> None:
    """Read the options and serve. The secret may come from EDU_WECHAT_SECRET, out of `ps`'s sight."""
    options = argparse.ArgumentParser(prog="python -m edu_platform.wechat.standin", description=__doc__)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8100, help="0 takes a free one")
    options.add_argument("--appid", default=STANDIN_APPID)
    options.add_argument("--secret", default=os.environ.get("EDU_WECHAT_SECRET", "standin-secret"))
    options.add_argument("--data", type=Path, help="file that keeps users and acceptances")
    options.add_argument("--page", action="append", default=[], help="a released page; repeatable")
    given = options.parse_args()
    with suppress(KeyboardInterrupt):
        serve(
            given.host,
            given.port,
            appid=given.appid,
            secret=given.secret,
            data=given.data,
            pages=given.page,
        )


if __name__ == "__main__":
    main()
