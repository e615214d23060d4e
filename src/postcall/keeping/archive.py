"""The one file of a backup: a zip of the database's dump, the data folder's secrets and a manifest with sums."""

from __future__ import annotations

import hashlib
import hmac
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from postcall.keeping.files import Refused

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
SANDBOX: Final = "sandbox.sqlite3"
SECRET_KEY: Final = "secret-key"  # noqa: S105  # a file's name
# What stands in the data folder beside the database and belongs to it. The database's own password does not: a
# restored database gets a new one.
SECRETS: Final = (SECRET_KEY, "sign-in-password", "sample-api-key")
CHUNK: Final = 1 << 20


class Member(BaseModel):
    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """`taken_at` is a moment from before the dump began. `migrations` are the database's, by app. `keys` are the
    fingerprints of the secret keys by which it was encrypted and signed, the newest first."""

    model_config = ConfigDict(frozen=True)

    format: int
    postcall: str
    postgres: int
    taken_at: datetime
    migrations: dict[str, list[str]]
    keys: list[str]
    members: dict[str, Member]


def fingerprint(secret_key: str) -> str:
    """Tells whether a key is the one that was meant, and nothing of the key."""
    return hmac.digest(secret_key.encode(), b"postcall backup", hashlib.sha256).hex()[:32]


class Writer:
    """Adds members one after another; nothing is ever gone back to, so that it may write into a pipe."""

    def __init__(self, target: BinaryIO, progress: Callable[[int], None]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_STORED)
        self._progress = progress
        self.members: dict[str, Member] = {}

    def add(self, name: str, content: IO[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:
            while chunk := content.read(CHUNK):
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self._progress(len(chunk))
        self.members[name] = Member(bytes=size, sha256=digest.hexdigest())

    def give_up(self) -> None:
        """After a failure, while the target is still open."""
        with suppress(Exception):
            self._zip.close()

    def close(self, manifest: Manifest) -> None:
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        self._zip.close()


class Reader:
    """A backup whose sums have been found right."""

    def __init__(self, file: Path, progress: Callable[[int], None] = lambda _: None) -> None:
        """Reads all of it. Raises Refused."""
        try:
            self._zip = zipfile.ZipFile(file)
        except FileNotFoundError:
            raise Refused(f"{file}: there is no such file") from None
        except (zipfile.BadZipFile, IsADirectoryError):
            raise Refused(f"{file} is no backup of Postcall, or it was cut short") from None
        try:
            self.manifest = self._manifest(file)
            self._verify(file, progress)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        return name in self.manifest.members

    def text(self, name: str) -> str:
        return self._zip.read(name).decode().strip()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self._zip.open(name) as content:
            yield content

    def _manifest(self, file: Path) -> Manifest:
        try:
            raw = self._zip.read(MANIFEST)
            made = Manifest.model_validate_json(raw)
        except (KeyError, ValidationError, zipfile.BadZipFile):
            raise Refused(
                f"{file} is no backup of Postcall, or it is damaged: its manifest cannot be read"
            ) from None
        if made.format != FORMAT:
            raise Refused(f"{file} has format {made.format}; this Postcall reads format {FORMAT}: use a newer one")
        return made

    def _verify(self, file: Path, progress: Callable[[int], None]) -> None:
        there = {info.filename for info in self._zip.infolist()} - {MANIFEST}
        if there != set(self.manifest.members):
            raise Refused(f"{file} is damaged: it does not hold what its manifest says")
        for name, member in self.manifest.members.items():
            digest = hashlib.sha256()
            try:
                with self.open(name) as content:
                    while chunk := content.read(CHUNK):
                        digest.update(chunk)
                        progress(len(chunk))
            except (zipfile.BadZipFile, EOFError, OSError):
                raise Refused(f"{file} is damaged: {name} cannot be read") from None
            if digest.hexdigest() != member.sha256:
                raise Refused(f"{file} is damaged: the sum of {name} is not what its manifest says")


def of_text(text: str) -> IO[bytes]:
    return io.BytesIO(text.encode())


def keys_in(content: str) -> list[str]:
    """The keys that a `secret-key` file holds: like POSTCALL_SECRET_KEY, the newest first, commas between them."""
    return [part.strip() for part in content.split(",") if part.strip()]
