"""Which judge is in force, and asking it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postcall.config import config
from postcall.dashboard.views.settings import judge as page_of_the_judge
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.reports.judging import JudgeReport, judge_report
from postcall.workspaces.models import Membership, Workspace

from .factories import a_call, a_follow_up, a_member, a_skipped_follow_up, an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language model at an address at which nobody listens."""
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:no-such-model")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "not a real key")
    config.cache_clear()
    yield
    config.cache_clear()


def test_it_says_which_judge_is_in_force_and_asks_it(browser_client: Client, workspace: Workspace) -> None:
    assert (
        "The built-in one, on this machine"
        in browser_client.get(f"/w/{workspace.pk}/settings/judge").content.decode()
    )
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask").content.decode()
    assert "It answered in" in page
    assert "After scheduling an appointment" in page


def test_it_asks_only_so_often(
    browser_client: Client, workspace: Workspace, model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_the_judge, "MAX_ASKED", 0)
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask", follow=True).content.decode()
    assert ("Not asked" in page, "It did not answer" in page) == (True, False)


def test_it_says_why_a_judge_does_not_answer_and_no_secret(
    browser_client: Client, workspace: Workspace, model: None
) -> None:
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask").content.decode()
    assert "It did not answer" in page
    assert "openai:no-such-model" in page
    assert "not a real key" not in page


def test_a_viewer_asks_nothing(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "Ask it now" not in client.get(f"/w/{workspace.pk}/settings/judge").content.decode()
    assert client.post(f"/w/{workspace.pk}/settings/judge/ask").status_code == 403


MODEL = {"judge": "openai:gpt-4.1-mini", "prompt": "2.2"}
BUILT_IN = {"judge": "offline-1", "judge_cost_usd": Decimal(0)}


def asked(cost: str | None, tokens: int = 1000, requests: int = 1) -> dict[str, Any]:
    price = None if cost is None else Decimal(cost)
    used = {"judge_requests": requests, "judge_input_tokens": tokens - 100, "judge_output_tokens": 100}
    return MODEL | used | {"judge_cost_usd": price, "judge_s": 2.0}


@pytest.fixture
def cascaded(workspace: Workspace) -> Workspace:
    """A model was asked about two calls, of one of which it decided two conditions; of three nothing was asked, but
    one of them came before."""
    desk = an_agent(workspace)
    booking, pickup = an_action(desk), an_action(desk, "Ready")
    early = a_follow_up(a_call(desk), booking, **BUILT_IN)
    begun = timezone.now() - timedelta(days=9)
    FollowUp.objects.filter(pk=early.pk).update(id=first_id(begun), created_at=begun)
    both = a_call(desk)
    a_follow_up(both, booking, **asked("0.0006"))
    a_skipped_follow_up(both, pickup, **MODEL, judge_cost_usd=Decimal(0))
    a_follow_up(a_call(desk), booking, **asked("0.0010", 3000, 2))
    for _ in range(2):
        a_skipped_follow_up(a_call(desk), booking, **BUILT_IN)
    return workspace


def of_late(workspace: Workspace) -> JudgeReport:
    now = timezone.now()
    return judge_report(workspace, now - timedelta(days=30), now + timedelta(minutes=1))


def test_it_reckons_what_a_cascade_saved(cascaded: Workspace) -> None:
    report = of_late(cascaded)
    assert (report.calls, report.asked, report.unasked) == (5, 2, 2)
    assert (report.used.requests, report.used.tokens, report.used.cost) == (3, 4000, Decimal("0.0016"))
    assert (report.unit, report.saving, report.tokens_saved) == (Decimal("0.0008"), Decimal("0.0016"), 4000)
    assert report.seconds == 2.0


def test_it_counts_verdicts_by_judge_and_result(cascaded: Workspace) -> None:
    built_in, model = sorted(of_late(cascaded).lines, key=lambda line: line.judge)
    assert (built_in.is_built_in, built_in.met, built_in.not_met, built_in.unclear) == (True, 1, 2, 0)
    assert (model.is_built_in, model.met, model.not_met, model.unclear) == (False, 2, 1, 0)


def test_it_knows_a_saving_in_tokens_alone_where_no_price_is_known(cascaded: Workspace) -> None:
    FollowUp.objects.filter(judge_requests=2).update(judge_cost_usd=None)
    report = of_late(cascaded)
    assert (report.used.cost, report.saving, report.tokens_saved) == (None, None, 4000)


def test_it_counts_no_judging_of_another_workspace(cascaded: Workspace) -> None:
    assert (of_late(Workspace.objects.create(name="Harbor Dental")).calls, of_late(cascaded).calls) == (0, 5)


def test_it_shows_what_a_cascade_saved(
    browser_client: Client, cascaded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "cascade:openai:gpt-4.1-mini")
    config.cache_clear()
    page = browser_client.get(f"/w/{cascaded.pk}/settings/judge").content.decode()
    config.cache_clear()
    assert "About $0.0016 saved" in page
    assert "2 calls needed no request, at $0.0008 each" in page
    assert "cascade:openai:gpt-4.1-mini" not in page
    assert "for what it leaves open" in page


def test_it_gives_the_judging_as_a_table(browser_client: Client, cascaded: Workspace) -> None:
    answer = browser_client.get(f"/w/{cascaded.pk}/settings/judge?format=csv")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert sum(int(row["verdicts"]) for row in rows) == 6
    assert [row["saving_usd"] for row in rows] == ["0.0016", ""]


def test_it_says_what_will_stand_there_before_anything_was_judged(
    browser_client: Client, workspace: Workspace
) -> None:
    assert (
        "Nothing was judged in these days"
        in browser_client.get(f"/w/{workspace.pk}/settings/judge").content.decode()
    )
