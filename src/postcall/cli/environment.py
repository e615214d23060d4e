"""What a command needs around it: a database that answers, secrets, and Django set up on both."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from postcall.cli.output import fail
from postcall.config import ConfigError, config
from postcall.database import embedded
from postcall.database.room import IN_USE
from postcall.database.secret_files import kept_secret

EMBEDDED = IN_USE


def data_dir() -> Path:
    """Where the embedded database, the sandbox's messages and generated secrets live."""
    return config().data_dir or embedded.default_data_dir()


@contextmanager
def database() -> Iterator[None]:
    """A running database, named in this process's environment: DATABASE_URL's, else the embedded one, which is
    joined where it runs and stopped again by whoever leaves it last."""
    if config().database_url is not None:
        if not config().secret_keys:
            raise ConfigError(
                "POSTCALL_SECRET_KEY: needed with DATABASE_URL; make one with "
                "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` and keep it"
            )
        yield
        return
    with embedded.running(data_dir()) as url:
        os.environ["DATABASE_URL"] = url
        os.environ[EMBEDDED] = str(data_dir())
        if not config().secret_keys:
            os.environ["POSTCALL_SECRET_KEY"] = _key_of_the_folder(data_dir(), url)
        config.cache_clear()
        try:
            yield
        finally:
            close_connections()


def _key_of_the_folder(folder: Path, url: str) -> str:
    """What its file `secret-key` holds; made once, before anything is encrypted."""
    if kept_secret(folder / "secret-key") is None and _holds_secrets(url):
        raise ConfigError(
            f"POSTCALL_SECRET_KEY: set it as the service has it; the key that encrypted what is in {folder} "
            "is not in that folder"
        )
    return embedded.generated_secret(folder, "secret-key", lambda: secrets.token_urlsafe(48))


def _holds_secrets(url: str) -> bool:
    """Asked past Django, which wants a key to begin with. The key to opt-outs is made with the tables."""
    with psycopg.connect(url, connect_timeout=10) as own:
        made = own.execute("SELECT to_regclass('opt_out_key')").fetchone() != (None,)
        return made and own.execute("SELECT 1 FROM opt_out_key").fetchone() is not None


def close_connections() -> None:
    """Lets the embedded server stop without waiting for us."""
    from django.conf import settings

    if settings.configured:
        from django.db import connections

        connections.close_all()


@contextmanager
def django() -> Iterator[None]:
    """A running database and Django on it."""
    with database():
        import django as framework

        os.environ["DJANGO_SETTINGS_MODULE"] = "postcall.settings"
        framework.setup()
        yield


def sign_in_password() -> str | None:
    """The password of owner@localhost: made once for the embedded database; None with DATABASE_URL."""
    folder = os.environ.get(EMBEDDED)
    if not folder:
        return None
    return embedded.generated_secret(Path(folder), "sign-in-password", lambda: secrets.token_urlsafe(12))


@contextmanager
def prepared() -> Iterator[None]:
    """As `django`, with all tables and the default workspace in place."""
    with django():
        from postcall.bootstrap import prepare

        prepare()
        yield


@contextmanager
def looking() -> Iterator[None]:
    """As `django`, for commands that only look: nothing is made, migrated or settled for them."""
    if config().database_url is None and not (data_dir() / "postgres").exists():
        raise fail(f"there is no database in {data_dir()} yet: `postcall up` or `postcall migrate` makes one")
    with django():
        from django.db import connection
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise fail("the database's tables are not up to date: run `postcall migrate`")
        yield
