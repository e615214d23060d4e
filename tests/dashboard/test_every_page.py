"""What holds of every page that links lead to: found by following them, so that a new page is looked at too."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from playwright.sync_api import Page, expect

from postcall.actions.models import Action
from postcall.calls.models import Call
from postcall.followups.models import OptOut
from postcall.sources.editing import SourceContent, create_source
from postcall.workspaces.invitations import invite
from postcall.workspaces.models import ApiKey, Membership, User, Workspace
from postcall.workspaces.passwords import link_parts

from .conftest import SignedIn
from .factories import (
    a_busy_workspace,
    a_member,
    a_phone,
    a_run,
    a_webhook,
    an_alert_channel,
    an_invitation,
    an_own_text,
)
from .site import pages
from .test_isolation import BUTTONS

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 100_000
LOOKS: Final[tuple[tuple[Literal["light", "dark"], int], ...]] = (("light", 1440), ("dark", 360))
# Routes that answer no page of their own: pieces for htmx, files, and doors that lead elsewhere.
NO_PAGES = {
    *("action-calls", "call-live", "call-raw", "call-said", "calls-live", "follow-up-card", "messages-live"),
    *("cases-check-live", "overview-live", "platform-live", "review-live", "test-text-live"),
    *("audit-csv", "audit-jsonl", "messages-export", "backtest-export", "backtest-live", "icons", "None"),
    *("home", "place", "any-call", "settings", "sign-out"),
    *("me-name", "me-password", "me-sign-out-elsewhere", "workspace-create"),
}
# For those who are not signed in; the last three lead nowhere without a link that somebody made.
OUTSIDE = {"sign-in", "forgotten", "reset", "invitation", "set-up"}


@pytest.fixture
def busy(live_server: Any) -> Workspace:
    busy = a_busy_workspace()
    an_invitation(busy, "ray@northgate.example")
    an_alert_channel(busy)
    a_webhook(busy)
    create_source(busy, SourceContent(kind="generic", name="Front desk"))
    ApiKey.issue(busy, "Deployment", ApiKey.Scope.ADMIN)
    OptOut.objects.create(workspace=busy, number="+14155550171", origin=OptOut.Origin.STOP)
    for action in Action.objects.filter(workspace=busy):
        a_run(action, *Call.objects.filter(workspace=busy)[:2], condition="After booking a visit")
    return busy


@pytest.fixture
def dana(busy: Workspace) -> User:
    dana = a_member(busy, email="dana@northgate.example")
    a_phone(dana, busy)
    an_own_text(busy, dana)
    return dana


@pytest.fixture
def found(busy: Workspace, dana: User) -> dict[str, str]:
    """Every page by the name of its route."""
    client = Client()
    client.force_login(dana)
    return {name: paths[0] for name, paths in pages(lambda path: page_at(client, path), f"/w/{busy.pk}/").items()}


def page_at(client: Client, path: str) -> str | None:
    answer = client.get(path)
    is_page = answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    if not is_page or answer.streaming:
        return None
    page = answer.content.decode()
    return page if page.lstrip().lower().startswith("<!doctype") else None


def routes(resolver: URLResolver | None = None) -> set[str]:
    """The names of all routes."""
    names = set()
    for each in (resolver or get_resolver("postcall.dashboard.urls")).url_patterns:
        if isinstance(each, URLPattern):
            names.add(str(each.name))
        else:
            names |= routes(each)
    return names


def test_it_leads_to_every_page(found: dict[str, str]) -> None:
    left_out = routes() - set(BUTTONS) - NO_PAGES - OUTSIDE - found.keys()
    assert not left_out, " ".join(sorted(left_out))


def test_it_is_reachable_for_everybody_and_fits(signed_in: SignedIn, found: dict[str, str], dana: User) -> None:
    view = signed_in(dana, bypass_csp=True, reduced_motion="reduce").new_page()
    wrong = {}
    for name, path in found.items():
        view.goto(path)
        for scheme, width in LOOKS:
            view.emulate_media(color_scheme=scheme)
            view.set_viewport_size({"width": width, "height": 900})
            if too_wide(view, width):
                wrong[f"{name}, {scheme}, is too wide"] = path
            view.locator("main details:not(.menu)").evaluate_all("all => all.forEach(each => { each.open = true })")
            results = Axe().run(view)
            if results.violations_count:
                wrong[f"{name}, {scheme}"] = results.generate_report()
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in wrong.items())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_doors_are_open_to_everybody(signed_in: SignedIn, busy: Workspace, dana: User, scheme: str) -> None:
    context = signed_in(dana, color_scheme=scheme, viewport={"width": 360, "height": 740}, bypass_csp=True)
    context.clear_cookies()
    view = context.new_page()
    _, token = invite(busy, "gus@northgate.example", Membership.Role.VIEWER, dana.email)
    who, link = link_parts(dana)
    for path in ("/sign-in", "/forgotten", f"/invitations/{token}", f"/reset/{who}/{link}"):
        view.goto(path)
        if path == "/sign-in":
            view.get_by_label("E-mail").fill(dana.email)
            view.get_by_label("Password").fill("a guess")
            view.get_by_role("button", name="Sign in").click()
            expect(view.get_by_role("alert")).to_be_visible()
        results = Axe().run(view)
        assert results.violations_count == 0, f"{path}: {results.generate_report()}"
        assert not too_wide(view, 360), path


def too_wide(view: Page, width: int) -> bool:
    return bool(view.evaluate("document.documentElement.scrollWidth") > width)


def test_it_weighs_little_and_keeps_to_the_policy(found: dict[str, str], dana: User) -> None:
    """Each page with its styles is under 100 kB; nothing in it is inline, and nothing comes from elsewhere."""
    client = Client()
    client.force_login(dana)
    for name, path in found.items():
        answer = client.get(path)
        page = answer.content.decode()
        styles = sum(
            len(client.get(href).getvalue()) for href in re.findall(r'rel="stylesheet" href="([^"]+)"', page)
        )
        assert len(answer.content) + styles < LIMIT, f"{name}: {len(answer.content)} + {styles}"
        assert not re.search(r"<style|<script(?! src=)| style=| on[a-z]+=|javascript:", page), name
        assert not re.search(r'(?:src|<link[^>]+href)="(?:https?:)?//', page), name
        assert "unsafe" not in answer["Content-Security-Policy"], name
