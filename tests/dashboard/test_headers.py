"""What every answer carries against being framed, sniffed, cached, or made to run what is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from playwright.sync_api import Page

from postcall.api.doors import MAX_FORM
from postcall.api.problems import MAX_BODY
from postcall.workspaces.models import User

from .conftest import SignedIn
from .factories import PASSWORD, a_member
from .test_isolation import BUTTONS, everything

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PLACES = [
    "/",
    "/sign-in",
    "/nothing-here",
    "/api/v1/calls",
    "/api/v1/docs",
    "/in/generic/x",
    "/healthz",
    "/metrics",
]


@pytest.mark.parametrize("path", PLACES)
def test_it_says_so_everywhere(client: Client, db: None, path: str) -> None:
    answer = client.get(path)
    assert {name: answer[name] for name in ALWAYS} == ALWAYS
    assert "no-store" in answer["Cache-Control"]
    assert "camera=()" in answer["Permissions-Policy"]
    policy = directives(answer["Content-Security-Policy"])
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy.get("script-src", "'self'") == "'self'"


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))  # type: ignore[misc]  # two each


def test_it_lets_pages_load_files_of_ours_alone(browser_client: Client) -> None:
    page = browser_client.get("/", follow=True)
    policy = directives(page["Content-Security-Policy"])
    assert policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in page["Content-Security-Policy"]


def test_it_lets_what_is_no_page_load_nothing(client: Client) -> None:
    assert "script-src" not in client.get("/healthz")["Content-Security-Policy"]


def test_its_files_may_be_kept(client: Client) -> None:
    answer = client.get("/static/dashboard/pages.js")
    assert "max-age" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.getvalue()


def test_its_page_about_the_api_works_under_its_policy(signed_in: SignedIn, live_server: Any, owner: User) -> None:
    page: Page = signed_in(owner).new_page()
    page.goto("/api/v1/docs")
    page.locator(".swagger-ui .info .title").wait_for()


def test_its_cookies_are_read_by_no_script_and_sent_from_no_other_site(client: Client, owner: User) -> None:
    client.post("/sign-in", {"username": owner.email, "password": PASSWORD})
    client.get("/sign-in")
    for name in ("postcall_session", "postcall_csrf"):
        assert client.cookies[name]["httponly"], name
        assert client.cookies[name]["samesite"] == "Lax", name


@pytest.mark.parametrize(("url", "secure"), [("https://postcall.example", True), ("http://10.0.0.5:8000", False)])
def test_it_insists_on_https_where_it_is_reached_by_https(url: str, secure: bool) -> None:
    """In a process of its own, since settings are read once."""
    code = (
        "from postcall import settings as s\n"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 10_000_000)"
    )
    environment = {"POSTCALL_PUBLIC_URL": url, "POSTCALL_SECRET_KEY": "x" * 40}
    environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == [str(secure)] * 3


def test_it_tells_browsers_to_come_by_https_only(client: Client, settings: Any, db: None) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    assert "Strict-Transport-Security" in Client().get("/sign-in", secure=True)
    assert "Strict-Transport-Security" not in Client().get("/sign-in")


def test_it_gives_another_session_to_who_signs_in(client: Client, owner: User) -> None:
    client.get("/")
    session = client.session
    session["workspace"] = "planted"
    session.save()
    planted = client.session.session_key
    client.cookies["postcall_session"] = str(planted)
    client.post("/sign-in", {"username": owner.email, "password": PASSWORD})
    assert client.session.session_key != planted
    assert not Client(headers={"Cookie": f"postcall_session={planted}"}).session.get("_auth_user_id")


def test_it_ends_every_other_session_with_a_new_password(client: Client, owner: User) -> None:
    other = Client()
    for one in (client, other):
        one.post("/sign-in", {"username": owner.email, "password": PASSWORD})
        assert one.get("/", follow=True).status_code == 200
    owner.set_password("another long password of the tests")
    owner.save(update_fields=["password"])
    for one in (client, other):
        assert one.get("/")["Location"] == "/sign-in?next=/"


def test_it_ends_the_session_of_who_is_switched_off(browser_client: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert browser_client.get("/")["Location"] == "/sign-in?next=/"


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/sign-in", MAX_FORM + 1, 413),
        ("/sign-in", 100_000_000_000, 413),
        ("/api/v1/calls", MAX_BODY + 1, 413),
        ("/in/generic/x", MAX_BODY + 1, 413),
        ("/twilio/status/x", MAX_BODY + 1, 413),
        ("/nothing-here", MAX_FORM + 1, 413),
    ],
)
def test_it_reads_nothing_of_what_is_too_large(db: None, path: str, length: int, status: int) -> None:
    class Unreadable:
        def read(self, *_: int) -> bytes:
            raise AssertionError("it was read")

        readline = read

    extra: Any = {"CONTENT_LENGTH": str(length), "wsgi.input": Unreadable(), "CONTENT_TYPE": "multipart/form-data"}
    assert Client().generic("POST", path, **extra).status_code == status


def test_it_keeps_no_file_that_is_sent(client: Client, db: None) -> None:
    sent = {"username": "x@northgate.example", "password": "x", "file": SimpleUploadedFile("a.txt", b"x" * 5_000)}
    answer = client.post("/sign-in", sent)
    assert answer.status_code == 200
    assert not answer.wsgi_request.FILES


def test_it_asks_every_button_for_a_token_against_forged_forms(db: None) -> None:
    ours = everything("Northgate Clinic")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(a_member(ours.workspace))
    for address in (*map(ours.address, BUTTONS), "/sign-out"):
        refused = strict.post(address, headers={"Origin": "https://elsewhere.example"})
        assert (refused.status_code, "Please try again" in refused.content.decode()) == (403, True), address
    ours.held.refresh_from_db()
    assert ours.held.outcome == "held"
