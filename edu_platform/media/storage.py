"""Where bytes lie: a folder, or an S3-compatible store. Files are named by their digest and never change."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from edu_platform.config.settings import Settings, Storage
from edu_platform.core.gate import Gate
from edu_platform.media.errors import StoreAway

CHUNK = 256 * 1024


class NoSuchFile(Exception):
    """The store has no file of that name."""


class Store(Protocol):
    """Keeps files by key; a key is `<digest>.<ending>`. Writing an existing key again changes nothing."""

    def put(self, key: str, source: BinaryIO, *, media_type: str) -> None:
        """Keep the bytes of `source` under `key`, durably, before returning."""
        ...

    def size(self, key: str) -> int:
        """Return the file's length in bytes; raise `NoSuchFile`."""
        ...

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `start` in pieces; raise `NoSuchFile` before the first."""
        ...

    def delete(self, key: str) -> None:
        """Forget the file; one that is not there is forgotten already."""
        ...

    def publish(self, key: str) -> None:
        """Make the file reachable without the application (nginx or CDN), where the store can."""
        ...

    def unpublish(self, key: str) -> None:
        """Undo `publish`."""
        ...

    def published(self) -> dict[str, float]:
        """Return the keys that are published, each with when that was (seconds since 1970)."""
        ...

    def check(self) -> None:
        """Raise when the store cannot be written."""
        ...


def whole(store: Store, key: str) -> bytes:
    """Return a whole file; for small ones."""
    return b"".join(store.read(key, 0, store.size(key)))


class FolderStore:
    """Files in a folder; published ones are linked into `public/`, which nginx can serve alone."""

    def __init__(self, root: Path) -> None:
        self._files = root / "files"
        self._public = root / "public"

    def _path(self, key: str) -> Path:
        return self._files / key[:2] / key

    def path(self, key: str) -> Path:
        """Return where the file lies; raise `NoSuchFile`."""
        path = self._path(key)
        if not path.is_file():
            raise NoSuchFile(key)
        return path

    def put(self, key: str, source: BinaryIO, *, media_type: str) -> None:
        """Write beside, fsync, then rename: a reader sees the whole file or none."""
        del media_type
        target = self._path(key)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as part:
                shutil.copyfileobj(source, part, CHUNK)
                part.flush()
                os.fsync(part.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def size(self, key: str) -> int:
        """Return the file's length in bytes; raise `NoSuchFile`."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as gone:
            raise NoSuchFile(key) from gone

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Open at once, so that a missing file shows before the first byte; then yield in pieces."""
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError as gone:
            raise NoSuchFile(key) from gone

        def pieces() -> Iterator[bytes]:
            with file:
                file.seek(start)
                left = length
                while left > 0:
                    piece = file.read(min(CHUNK, left))
                    if not piece:
                        return
                    left -= len(piece)
                    yield piece

        return pieces()

    def delete(self, key: str) -> None:
        """Forget the file and its public link."""
        self.unpublish(key)
        self._path(key).unlink(missing_ok=True)

    def publish(self, key: str) -> None:
        """Link the file into the public folder."""
        self._public.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(self.path(key), self._public / key)

    def unpublish(self, key: str) -> None:
        """Remove the link."""
        (self._public / key).unlink(missing_ok=True)

    def published(self) -> dict[str, float]:
        """Return the links, each with when it was made: a link more is a change of the file's own entry."""
        try:
            with os.scandir(self._public) as links:
                return {link.name: link.stat().st_ctime for link in links}
        except FileNotFoundError:
            return {}

    def open_published(self, key: str) -> FileIO:
        """Open a published file; raise `NoSuchFile`."""
        try:
            return FileIO(self._public / key)
        except OSError as gone:
            raise NoSuchFile(key) from gone

    def check(self) -> None:
        """Write and remove a small file."""
        self._files.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._files) as probe:
            probe.write(b"ready")
            probe.flush()


class S3Store:
    """Files in an S3-compatible bucket, under `files/`; published ones are copied to `public/`.

    A store that is away, slow or failing raises `StoreAway` within seconds, and holds up no more than half of
    a process's threads while it is found out.
    """

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._client: Any = _s3_client(settings, read_timeout=5, attempts=2)
        self._reader: Any = _s3_client(settings, read_timeout=1.5, attempts=2)
        self._gate = Gate(
            max(1, settings.web_threads // 2), patience=0.5, trouble=(StoreAway,), refusal=StoreAway()
        )

    def _head(self, name: str) -> dict[str, Any]:
        with _asking(name):
            found: dict[str, Any] = self._reader.head_object(Bucket=self._bucket, Key=name)
        return found

    def put(self, key: str, source: BinaryIO, *, media_type: str) -> None:
        """Upload unless the key is there."""
        name = f"files/{key}"
        with suppress(NoSuchFile):
            self._head(name)
            return
        with _asking(name):
            self._client.upload_fileobj(source, self._bucket, name, ExtraArgs={"ContentType": media_type})

    def size(self, key: str) -> int:
        """Return the file's length in bytes; raise `NoSuchFile`."""
        return int(self._head(f"files/{key}")["ContentLength"])

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Ask the store for the range, and pass it on in pieces; one that ends too early raises `StoreAway`."""
        if length <= 0:
            return iter(())
        name = f"files/{key}"
        with self._gate.enter(), _asking(name):
            answer = self._reader.get_object(
                Bucket=self._bucket, Key=name, Range=f"bytes={start}-{start + length - 1}"
            )

        def pieces() -> Iterator[bytes]:
            with self._gate.enter(), _asking(name), closing(answer["Body"]) as body:
                yield from body.iter_chunks(CHUNK)

        return pieces()

    def delete(self, key: str) -> None:
        """Forget the file and its public copy."""
        for folder in ("public", "files"):
            with _asking(key):
                self._client.delete_object(Bucket=self._bucket, Key=f"{folder}/{key}")

    def publish(self, key: str) -> None:
        """Copy the file under `public/`, inside the store."""
        with _asking(key):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=f"public/{key}",
                CopySource={"Bucket": self._bucket, "Key": f"files/{key}"},
            )

    def unpublish(self, key: str) -> None:
        """Remove the public copy."""
        with _asking(key):
            self._client.delete_object(Bucket=self._bucket, Key=f"public/{key}")

    def published(self) -> dict[str, float]:
        """List the public copies."""
        with _asking("public/"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix="public/"
            )
            return {
                found["Key"].removeprefix("public/"): found["LastModified"].timestamp()
                for page in pages
                for found in page.get("Contents", ())
            }

    def check(self) -> None:
        """Ask for the bucket."""
        with _asking("the bucket"):
            self._reader.head_bucket(Bucket=self._bucket)


def _s3_client(settings: Settings, *, read_timeout: float, attempts: int) -> Any:
    import boto3
    from botocore.client import Config

    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=1,
            read_timeout=read_timeout,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=settings.web_threads + 4,
        ),
    )


@contextmanager
def _asking(name: str) -> Iterator[None]:
    """Turn what the store's client raises into `NoSuchFile` or, where waiting helps, `StoreAway`."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as error:
        if str(error.response.get("Error", {}).get("Code")) in {"404", "NoSuchKey", "NotFound"}:
            raise NoSuchFile(name) from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429:
            raise StoreAway from error
        raise
    except (
        botocore.ConnectionError,
        botocore.HTTPClientError,
        botocore.IncompleteReadError,
        S3UploadFailedError,
    ) as error:
        raise StoreAway from error


_stores: dict[tuple[object, ...], Store] = {}


def store_of(settings: Settings) -> Store:
    """Return the store that the settings name; one per process and settings."""
    name = (settings.storage, settings.data_dir, settings.s3_endpoint, settings.s3_bucket)
    if name not in _stores:
        _stores[name] = (
            S3Store(settings) if settings.storage is Storage.S3 else FolderStore(settings.data_dir / "media")
        )
    return _stores[name]
