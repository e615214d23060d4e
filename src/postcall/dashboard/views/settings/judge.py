"""Which judge reads the calls, and whether it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.config import CASCADE, config
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.signing_in import noted_too_often
from postcall.dashboard.verbs import settings as verbs
from postcall.judge.choose import judge_from_config
from postcall.judge.prompt import VERSION
from postcall.judge.verdicts import Case, Condition, Evidence, JudgeFailed, Turn, Verdict
from postcall.reports.judging import HEAD, JudgeReport, judge_report, table
from postcall.reports.tables import CONTENT_TYPE, lines
from postcall.work import clock

MAX_ASKED: Final = 20
OFFLINE: Final = "offline"
DAYS: Final = 30
CONDITION: Final = "After scheduling an appointment"
_TURNS: Final = (
    Turn("agent", "Thank you for calling. How can I help?"),
    Turn("customer", "Hi, I need to make an appointment for a check-up. My name is Alex Reed."),
    Turn("agent", "I can offer Tuesday at ten o'clock. Shall I book that for you?"),
    Turn("customer", "Yes please, book it."),
    Turn("agent", "All right, I have booked your appointment for Tuesday at ten o'clock."),
    Turn("customer", "Perfect, see you then."),
)


@dataclass(frozen=True)
class Heard:
    """What the judge said to a question of ours, and how long it took. `failed`: why it said nothing."""

    ms: int
    verdict: Verdict | None = None
    failed: str = ""

    @property
    def quotes(self) -> tuple[Evidence, ...]:
        return self.verdict.evidence if self.verdict else ()


@require_GET
@member
def judge(visit: Visit) -> HttpResponse:
    if visit.request.GET.get("format") == "csv":
        headers = {"Content-Disposition": f'attachment; filename="judge-{DAYS}-days.csv"'}
        return HttpResponse(lines(HEAD, table(_report(visit))), content_type=CONTENT_TYPE, headers=headers)
    return _page(visit)


def _report(visit: Visit) -> JudgeReport:
    now = clock.now()
    return judge_report(visit.workspace, now - timedelta(days=DAYS), now)


def _page(visit: Visit, heard: Heard | None = None) -> HttpResponse:
    model = config().judge_model
    return visit.page(
        "settings/judge.html",
        {
            "tab": "judge",
            "model": model.removeprefix(CASCADE),
            "is_offline": model == OFFLINE,
            "is_cascade": model.startswith(CASCADE),
            "prompt": VERSION,
            "days": DAYS,
            "report": _report(visit),
            "condition": CONDITION,
            "turns": _TURNS,
            "heard": heard,
        },
        place="settings",
    )


@require_POST
@actor
def ask(visit: Visit) -> HttpResponse:
    """Puts a small call of ours to the judge; nothing is stored but that it was asked. A model is paid for each."""
    if noted_too_often(f"judge asked in {visit.workspace.pk}", visit.request, MAX_ASKED, from_anywhere=True):
        flashes.error(visit.request, f"Not asked: {MAX_ASKED} times in a quarter of an hour are enough.")
        return visit.back(visit.to("settings-judge"))
    started = time.monotonic()
    try:
        judgement = judge_from_config().decide(Case(_TURNS, [Condition("sample", CONDITION)]))
        heard = Heard(_ms_since(started), judgement.verdicts.get("sample"))
    except JudgeFailed as error:
        heard = Heard(_ms_since(started), failed=str(error))
    verbs.ask_judge(visit, config().judge_model, answered=heard.verdict is not None)
    return _page(visit, heard)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
