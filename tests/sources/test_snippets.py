"""What the pages of docs/sources give to copy is run as it stands there, against a running Postcall.

LiveKit's token is made by its own library. Its agents and Pipecat are too heavy to install for a test (394 and 523
MB): stand-ins have the documented properties that the snippets touch.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from outbound.servers import serving

from postcall.calls.models import Call
from postcall.sources.editing import SourceContent, create_source
from postcall.sources.ended_call import EndedCall
from postcall.sources.models import Source
from postcall.sources.platforms.generic import Generic
from postcall.workspaces.models import Workspace

from .platforms.livekit import CALLER, REPORT

PAGES = Path(__file__).parents[2] / "docs" / "sources"
SNIPPET = re.compile(r"^<!-- snippet -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEYS = {"key": "APInorthgate", "secret": "a-secret-of-the-tests-only-0123456789"}
MESSAGES = [
    {"role": "system", "content": "You are the front desk of Northgate Clinic."},
    {"role": "user", "content": "Tuesday, please."},
    {"role": "assistant", "content": "Booked."},
]


def snippet(page: str) -> str:
    (found,) = SNIPPET.findall((PAGES / f"{page}.md").read_text())
    return str(found)


def given(page: str, monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> dict[str, Any]:
    """The names that a snippet defines, in an agent's environment. It waits for nothing."""
    for name, value in {"REPORT_CALLS_TO": url, **environment}.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    exec(compile(snippet(page), f"{page}.md", "exec"), names)
    if "WAITS" in names:
        names["WAITS"] = (0,) * len(names["WAITS"])
    return names


def livekit(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    keys = {"LIVEKIT_API_KEY": KEYS["key"], "LIVEKIT_API_SECRET": KEYS["secret"]}
    return given("livekit", monkeypatch, url, **keys)


@pytest.fixture
def source(live_server: Any) -> Callable[[str], tuple[Source, str]]:
    """A source of a kind: itself, and its address at the running Postcall."""

    def make(kind: str, auth: Any = None) -> tuple[Source, str]:
        workspace = Workspace.objects.create(name="Northgate Clinic")
        made, _ = create_source(workspace, SourceContent(kind=kind, name="Desk", auth=auth))
        return made, f"{live_server.url}/in/{kind}/{made.token}"

    return make


@dataclass
class Participant:
    attributes: dict[str, str]


@dataclass
class Report:
    told: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return dict(self.told)


@dataclass
class Job:
    id: str = "AJ_1"
    metadata: str = '{"customer_name": "Ann"}'


@dataclass
class JobContext:
    """Of livekit.agents.JobContext what the snippet touches."""

    told: dict[str, Any] = field(default_factory=lambda: dict(REPORT))
    job: Job = field(default_factory=Job)

    def make_session_report(self) -> Report:
        return Report(self.told)


@dataclass
class LLMContext:
    """Of Pipecat's class of this name what the snippet touches."""

    messages: list[Any]

    def get_messages(self) -> list[Any]:
        return self.messages


@pytest.mark.parametrize("page", ["livekit", "pipecat", "generic"])
def test_it_is_short_enough_to_copy(page: str) -> None:
    lines = snippet(page).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 116


def test_the_one_for_livekit_reports_a_call(
    source: Callable[..., tuple[Source, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = source("livekit", KEYS)
    names = livekit(monkeypatch, url)

    async def talk() -> None:
        context = JobContext()
        await names["remember_caller"](context, Participant({"lk.agent.state": "listening"}))
        await names["remember_caller"](context, Participant(CALLER))
        await names["remember_caller"](context, Participant(CALLER | {"sip.phoneNumber": "+14155550199"}))
        await names["tell_postcall"](context)

    asyncio.run(talk())
    call = Call.objects.get()
    assert (call.source_kind, call.external_id, call.agent_ref) == ("livekit", "call-1", "front-desk")
    assert (call.customer_number, call.agent_number, call.direction) == (
        "+14155550132",
        "+14155550100",
        "inbound",
    )
    assert call.variables["pre_call"] == {"customer_name": "Ann"}
    assert call.variables["action_results"] == {"create_booking": {"reference": "X1"}}
    assert (call.ending, len(call.transcript)) == ("customer_hung_up", 5)
    assert names["CALLERS"] == {}


def test_the_one_for_pipecat_reports_a_call(
    source: Callable[..., tuple[Source, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
    _, url = source("generic", {"secret": secret})
    tell = given("pipecat", monkeypatch, url, REPORT_CALLS_SECRET=secret)["tell_postcall"]
    phone = {"agent": "front-desk", "customer_number": "+14155550132", "agent_number": None}
    asyncio.run(tell(LLMContext([*MESSAGES, object()]), "c-1", direction="inbound", **phone))
    call = Call.objects.get()
    assert (call.external_id, call.agent_ref, call.customer_number) == ("c-1", "front-desk", "+14155550132")
    assert [(turn["role"], turn["text"]) for turn in call.transcript] == [
        ("customer", "Tuesday, please."),
        ("agent", "Booked."),
    ]


def test_the_one_for_own_code_reports_a_call(
    source: Callable[..., tuple[Source, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
    _, url = source("generic", {"secret": secret})
    given("generic", monkeypatch, url, REPORT_CALLS_SECRET=secret)
    assert Call.objects.get().external_id == "c-1"


def test_a_wrong_key_is_told_to_the_agents_log_and_to_the_operator(
    source: Callable[..., tuple[Source, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, url = source("livekit", {"key": "APIother", "secret": KEYS["secret"]})
    with pytest.raises(Exception, match="401"):
        asyncio.run(livekit(monkeypatch, url)["tell_postcall"](JobContext()))
    made.refresh_from_db()
    assert "another API key" in made.last_rejected_reason
    assert made.rejected_count == 1


BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SLOW_DOWN = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CUT = b""


@pytest.mark.parametrize("page", ["livekit", "pipecat"])
@pytest.mark.parametrize("answers", [[BUSY, CUT, SLOW_DOWN, TAKEN], [BUSY, BUSY, BUSY, BUSY]])
def test_it_tries_again_what_was_not_taken(
    page: str, answers: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(answers)

    def answer(connection: socket.socket) -> None:
        connection.sendall(left.pop(0))

    with serving(answer) as server:
        url = f"http://127.0.0.1:{server.port}/in/kind/token"
        if page == "livekit":
            told = livekit(monkeypatch, url)["tell_postcall"](JobContext())
        else:
            names = given(
                "pipecat", monkeypatch, url, REPORT_CALLS_SECRET="whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
            )
            told = names["tell_postcall"](LLMContext(MESSAGES), "c-1")
        if answers[-1] == TAKEN:
            asyncio.run(told)
        else:
            with pytest.raises(RuntimeError, match="not followed up"):
                asyncio.run(told)
    assert len(server.asked) == 4
    assert len({asked.partition(b"\r\n\r\n")[2] for asked in server.asked}) == 1


def test_the_example_of_a_body_is_one() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", (PAGES / "generic.md").read_text(), re.DOTALL)
    ended = Generic().parse(example.encode())
    assert isinstance(ended, EndedCall)
    assert len(ended.transcript) == 2
