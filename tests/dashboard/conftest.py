from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from postcall.workspaces.models import AuditEntry, User, Workspace

from .factories import a_member, a_workspace

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SignedIn = Callable[..., BrowserContext]


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """What makes a password hard to guess makes every test that signs somebody in slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _audit_in_transactions_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever tells the audit log has begun a transaction: the one around a test would hide that there is none."""
    if request.node.get_closest_marker("django_db") is None or not connection.in_atomic_block:
        yield
        return
    outside = len(connection.savepoint_ids)

    def check(**_: Any) -> None:
        assert len(connection.savepoint_ids) > outside, "an audit entry outside a transaction"

    pre_save.connect(check, sender=AuditEntry)
    yield
    pre_save.disconnect(check, sender=AuditEntry)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return a_workspace()


@pytest.fixture
def owner(workspace: Workspace) -> User:
    return a_member(workspace)


@pytest.fixture
def browser_client(client: Client, owner: User) -> Client:
    """Django's test client, signed in as the workspace's owner."""
    client.force_login(owner)
    return client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    # Playwright runs an event loop in this thread, in which Django would refuse to read the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=Path(found), headless=True, args=list(FLAGS))
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def signed_in(chromium: Browser, live_server: Any) -> Iterator[SignedIn]:
    """Opens browser contexts in which a person is signed in; whatever breaks the page's policy, or asks anybody but
    us for anything, fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    ours = (f"{live_server.url}/", "data:", "about:")

    def open_as(person: User, **options: Any) -> BrowserContext:
        client = Client()
        client.force_login(person)
        context = chromium.new_context(base_url=live_server.url, **options)
        context.add_cookies(
            [
                {"name": name, "value": cookie.value, "url": live_server.url}
                for name, cookie in client.cookies.items()
            ]
        )
        context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", lambda asked: None if asked.url.startswith(ours) else complaints.append(asked.url))
        contexts.append(context)
        return context

    yield open_as
    for context in contexts:
        context.close()
    assert without_what_leaving_ends(complaints) == []


def without_what_leaving_ends(complaints: list[str]) -> list[str]:
    """Who leaves a page ends what it was still asking; htmx notes each as an aborted request."""
    kept: list[str] = []
    for said in complaints:
        if not said.startswith("htmx:sendAbort"):
            kept.append(said)
        elif kept and kept[-1].startswith("htmx:afterRequest"):
            kept.pop()
    return kept


@pytest.fixture
def page(signed_in: SignedIn, live_server: Any, workspace: Workspace) -> Page:
    """A page of the workspace's owner."""
    return signed_in(a_member(workspace)).new_page()
