"""Fills a database with very many calls and measures how long the server takes for each page.

    .venv/bin/python -m bench.pages [--calls 200000] [--runs 15] [--data FOLDER] [--slow MILLISECONDS] [--json]

It starts an embedded database of its own, fills it by COPY with one workspace (20 agents, 8 actions, calls of the
last 90 days with transcripts of 6 to 18 turns, their follow-ups and texts, and one call of 3,000 turns), and asks
for the pages in this process, so that a figure is the view's own time with its queries and its template, without a
network: the best of the runs, their median and their 95th percentile. Every page is asked for once before it is
measured. With --data the database is kept in that folder, and taken as it is when it is filled already; --slow
prints the queries that took longer.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

RARE, SOME, OLD, COMMON, ABSENT = "zirconia", "invisalign", "walnut", "appointment", "xylophone"
LONG = "the-long-one"
SAID = (
    "Thanks for calling Northgate Clinic, how can I help?",
    "Hi, I would like to make an appointment for a cleaning please.",
    "Of course. May I have your name and date of birth?",
    "I have an opening next Tuesday at nine forty with Doctor Lin. Does that suit you?",
    "That works for me. Could you send me the details by text?",
    "You are booked. We will send a confirmation to the number that you are calling from.",
    "Is there parking at the clinic, and do you take my insurance?",
    "Yes, there is parking behind the building, and we take most plans.",
    "I need to move my appointment because of work, sorry about that.",
    "No problem at all, would Thursday afternoon be better for you?",
    "My knee has been hurting since the weekend, and it is getting worse.",
    "Let me check with the nurse. Can you hold for a moment?",
    "How much would it cost without insurance? I pay by card.",
    "The visit is one hundred and twenty dollars, and x-rays are extra.",
    "Great, thank you so much for your help. Bye!",
)
NAMES = ("Maya", "Ann", "Luis", "Priya", "Tom", "Zoe", "Omar", "Grace", "Ivan", "Chloe", "Noah", "Lena")


def id_at(moment: datetime, chance: random.Random) -> UUID:
    value = int(moment.timestamp() * 1000) << 80 | chance.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(0x3 << 62) | 2 << 62)


class Copy:
    """Rows of a model, by COPY: every column as the model would save it, but for what a row says itself."""

    def __init__(self, model: Any, **constant: Any) -> None:
        from django.db import connection

        self.fields = model._meta.concrete_fields
        pattern = model(**constant)
        self.base = {
            field.column: field.get_db_prep_save(self._value(field, pattern), connection) for field in self.fields
        }
        columns = ", ".join(f'"{field.column}"' for field in self.fields)
        self.sql = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
        self.rows: list[list[Any]] = []

    @staticmethod
    def _value(field: Any, pattern: Any) -> Any:
        """What the database would fill in by itself, COPY has to be told."""
        from django.db.models.expressions import DatabaseDefault

        value = field.pre_save(pattern, add=True)
        return field.db_default if isinstance(value, DatabaseDefault) else value

    def add(self, **row: Any) -> None:
        self.rows.append(list({**self.base, **row}.values()))

    def taken(self) -> list[list[Any]]:
        """The rows so far, which are its own no longer."""
        rows, self.rows = self.rows, []
        return rows

    def write(self, rows: list[list[Any]]) -> None:
        from django.db import connection

        with connection.cursor() as cursor, cursor.copy(self.sql) as copy:
            for row in rows:
                copy.write_row(row)


class Writing:
    """Writes to the database in a thread and by a connection of its own, while the next rows are made."""

    def __init__(self, tables: list[Copy]) -> None:
        self._tables = tables
        self._thread = ThreadPoolExecutor(1)
        self._last = self._thread.submit(lambda: None)

    def all(self) -> None:
        """Everything so far; waits for what was written before, and raises what went wrong there."""
        self._last.result()
        self._last = self._thread.submit(self._write, [(each, each.taken()) for each in self._tables])

    def finish(self) -> None:
        from django.db import connection

        self._last.result()
        self._thread.submit(lambda: connection.close()).result()  # the thread's own
        self._thread.shutdown()

    def _write(self, parts: list[tuple[Copy, list[list[Any]]]]) -> None:
        for table, rows in parts:
            table.write(rows)


@contextmanager
def indexed_afterwards(tables: list[str]) -> Iterator[None]:
    """Meanwhile the tables have neither foreign keys nor indexes, but for those that keep rows unique."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname), format("
            "'ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
            " FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])"
            " UNION ALL SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)"
            " FROM pg_index WHERE NOT indisunique AND indrelid = ANY(%s::regclass[])",
            [tables, tables],
        )
        found = cursor.fetchall()
        for drop, _ in found:
            cursor.execute(drop)
        yield
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, make in found:
            cursor.execute(make)
        cursor.execute("RESET maintenance_work_mem")


def fill(total: int) -> None:
    """The workspace, its people, agents, actions, and all that happened; the long call last."""
    from psycopg.types.json import Jsonb

    from postcall.actions.models import Action, Attachment, Revision
    from postcall.agents.models import Agent
    from postcall.calls.models import Call
    from postcall.followups.models import FollowUp
    from postcall.followups.snapshot import agent_as_it_is, snapshot_of
    from postcall.messages.models import Account, Message, SendingAccount
    from postcall.workspaces.models import Membership, User, Workspace

    chance = random.Random(7)
    workspace = Workspace.objects.create(name="Northgate Clinic")
    account = Account.objects.create(
        workspace=workspace, kind="sandbox", account_sid="AC" + "0" * 32, auth_token="none",
        from_number="+14155550100", api_url="sandbox",
    )  # fmt: skip
    SendingAccount.objects.create(workspace=workspace, account=account)
    person = User.objects.create_user("bench@northgate.example", "a long password of the bench")
    Membership.objects.create(workspace=workspace, user=person, role="owner")
    agents = [Agent.objects.create(workspace=workspace, name=f"Agent {number}") for number in range(20)]
    attachments: list[list[Attachment]] = [[] for _ in agents]
    for number in range(8):
        action = Action.objects.create(workspace=workspace, name=f"Action {number}")
        action.revision = Revision.objects.create(
            action=action, number=1, message="Hi <customer_name>, see you at Northgate Clinic on <day>.",
            condition="After scheduling an appointment", inputs=["customer_name", "day"],
        )  # fmt: skip
        action.save()
        for place, agent in enumerate(agents):
            if (place + number) % 4 == 0:
                attachments[place].append(
                    Attachment.objects.create(workspace=workspace, agent=agent, action=action, mode="live")
                )
    snapshots = {
        each.pk: Jsonb(snapshot_of(each, agent_as_it_is(each.agent)).as_json())
        for row in attachments
        for each in row
    }
    now = datetime.now(UTC)
    calls = Copy(Call, workspace=workspace, source_kind="vapi", received_at=now, status="done", connected=True)
    first = attachments[0][0]
    follow_ups = Copy(
        FollowUp, workspace=workspace, call_id=workspace.pk, action=first.action, revision=first.action.revision,
        attachment=first, created_at=now, outcome="message", snapshot={},
    )  # fmt: skip
    messages = Copy(
        Message, workspace=workspace, follow_up_id=workspace.pk, encoding="GSM-7", valid_until=now, created_at=now,
        from_number="+14155550100", attempts_made=1, segments=1, body="", to="",
    )  # fmt: skip
    started = time.monotonic()
    writing = Writing([calls, follow_ups, messages])
    for number in range(total):
        at = now - timedelta(days=90) * (1 - number / total)
        turns = [{"role": "agent" if turn % 2 == 0 else "customer", "text": said, "at": turn * 4.5}
                 for turn, said in enumerate(chance.choices(SAID, k=chance.randint(6, 18)))]  # fmt: skip
        extra = [f"reference {chance.getrandbits(40):x}"]
        extra += [RARE] if number % (total // 20 or 1) == 3 else []
        extra += [SOME] if chance.random() < 0.01 else []
        extra += [OLD] if number < total * 0.03 else []
        turns[0] = turns[0] | {"text": f"{turns[0]['text']} {' '.join(extra)}"}
        place = 19 if number % 1000 == 0 else chance.randrange(19)
        call, to = id_at(at, chance), f"+1415{chance.randrange(2_000_000, 9_999_999)}"
        name = chance.choice(NAMES)
        calls.add(
            id=call, agent_id=agents[place].pk, external_id=f"call-{number}", customer_number=to,
            agent_number="+14155550100", direction="inbound", received_at=at, processed_at=at,
            started_at=at - timedelta(minutes=4), ended_at=at, transcript=Jsonb(turns),
            variables=Jsonb({"collected": {"first_name": name}, "pre_call": {}, "extracted": {}}),
        )  # fmt: skip
        for each in attachments[place][: 1 + number % 2]:
            draw = chance.random()
            outcome, reason = "message", ""
            if draw > 0.55:
                outcome, reason = "skipped", "voicemail" if draw > 0.995 else "condition_not_met"
            if number > total - 3000 and draw < 0.1:
                outcome, reason = "held", "awaiting_approval"
            follow_up, body = id_at(at, chance), f"Hi {name}, see you at Northgate Clinic on Tue, Dec 1 at 9:40 AM."
            judged = {"judge": "openai:gpt-4.1-mini (prompt 3)", "reason": "The caller accepted a time.",
                      "evidence": [{"turn": 4, "quote": "That works for me."}],
                      "usage": {"requests": 1, "input_tokens": 900, "output_tokens": 80}}  # fmt: skip
            follow_ups.add(
                id=follow_up, call_id=call, action_id=each.action_id, revision_id=each.action.revision_id,
                attachment_id=each.pk, outcome=outcome, reason=reason, result="met", confidence=0.9,
                verdict=Jsonb(judged), inputs=Jsonb({"customer_name": {"value": name, "from": "collected"}}),
                snapshot=snapshots[each.pk], recipient=to, body="" if outcome == "skipped" else body,
                decided_at=at, created_at=at,
            )  # fmt: skip
            if outcome == "message":
                fate = chance.random()
                status = "delivered" if fate < 0.94 else "failed" if fate < 0.98 else "undelivered"
                priced = status == "delivered" and fate > 0.01
                messages.add(
                    id=id_at(at, chance), follow_up_id=follow_up, to=to, body=body, status=status, created_at=at,
                    sent_at=at, price=Decimal("-0.0083") if priced else None, price_unit="USD" if priced else "",
                    error_code=None if status == "delivered" else 30003 if fate < 0.979 else 30007,
                )  # fmt: skip
        if number % 5000 == 4999 or number == total - 1:
            writing.all()
            print(f"\r{number + 1} calls, {time.monotonic() - started:.0f} s", end="", file=sys.stderr)
    long = [{"role": "agent" if turn % 2 == 0 else "customer", "text": f"{said} ({turn})", "at": turn * 2.5}
            for turn, said in enumerate(chance.choices(SAID, k=3000))]  # fmt: skip
    evidence = [{"turn": 1501, "quote": long[1500]["text"]}]
    call = id_at(now, chance)
    calls.add(
        id=call, agent_id=agents[0].pk, external_id=LONG, customer_number="+14155550199",
        received_at=now, started_at=now, ended_at=now, transcript=Jsonb(long), variables=Jsonb({}),
    )  # fmt: skip
    follow_ups.add(id=id_at(now, chance), call_id=call, result="met", outcome="skipped", reason="condition_not_met",
                   verdict=Jsonb({"judge": "offline-1", "reason": "Yes.", "evidence": evidence}),
                   snapshot=snapshots[first.pk], inputs=Jsonb({}), created_at=now, decided_at=now)  # fmt: skip
    writing.all()
    writing.finish()
    print(file=sys.stderr)


def pages() -> Iterator[tuple[str, str]]:
    """What is measured, and its address within the workspace."""
    from postcall.actions.models import Action
    from postcall.agents.models import Agent
    from postcall.calls.models import Call

    total = Call.objects.count()
    deep = Call.objects.order_by("-pk")[total // 2].pk
    number = Call.objects.order_by("pk")[total // 3].customer_number
    rare, busy = Agent.objects.get(name="Agent 19"), Agent.objects.get(name="Agent 4")
    action = Action.objects.get(name="Action 0")
    newest = Call.objects.order_by("-pk")[40].pk
    yield "log, first page", "calls"
    yield "log, page in the middle", f"calls?before={deep}"
    yield "log, a busy agent", f"calls?agent={busy.pk}"
    yield "log, a seldom agent", f"calls?agent={rare.pk}"
    yield "log, outcome sent", "calls?outcome=message"
    yield "log, outcome held", "calls?outcome=held"
    yield "log, no agent known (none)", "calls?outcome=unassigned"
    yield "log, reason voicemail", "calls?reason=voicemail"
    yield "log, reason that none has", "calls?reason=opted_out"
    yield "log, text undelivered", "calls?message_status=undelivered"
    yield "log, text canceled (none)", "calls?message_status=canceled"
    yield "log, 30 days and a seldom agent", f"calls?date=30d&agent={rare.pk}"
    yield "log, a whole number", f"calls?q={number[1:]}"
    yield "log, last four digits", f"calls?q={number[-4:]}"
    yield "log, an area code", "calls?q=%2B1415"
    yield "log, a number that none has", "calls?q=9999999999"
    yield "log, a common word", f"calls?q={COMMON}"
    yield "log, a word of one call in 100", f"calls?q={SOME}"
    yield "log, a rare word", f"calls?q={RARE}"
    yield "log, a word that none says", f"calls?q={ABSENT}"
    yield "log, a word of old calls only", f"calls?q={OLD}"
    yield "log, three letters of a name", "calls?q=pri"
    yield "log, a common and a rare word", f"calls?q={COMMON}+{RARE}"
    yield "log, a word of the texts", "calls?q=confirmation+tuesday"
    yield "log, a common word and a seldom agent", f"calls?q={COMMON}&agent={rare.pk}"
    yield "news of the log", f"calls/live?newest={newest}&seen=x"
    yield "call of 3,000 turns", f"calls/{Call.objects.get(external_id=LONG).pk}"
    yield "call", f"calls/{deep}"
    yield "why a number got no text", f"calls/why?number=%2B{number[1:]}"
    yield "overview", ""
    yield "review", "review"
    yield "messages", "messages"
    yield "messages, failed", "messages?status=failed"
    yield "messages, canceled (none)", "messages?status=canceled"
    yield "messages, an error", "messages?error=30007"
    yield "messages, a number", f"messages?q={number[-7:]}"
    yield "messages, a seldom agent", f"messages?agent={rare.pk}"
    yield "messages, an action", f"messages?action={action.pk}"
    yield "messages, 30 days", "messages?date=30d"
    yield "usage by agent, 30 days", "settings/usage?range=30d&by=agent"
    yield "usage by agent, 90 days", "settings/usage?range=90d&by=agent"
    yield "usage by action, 90 days", "settings/usage?range=90d&by=action"
    yield "usage by month, 12 months", "settings/usage?range=12m&by=month"
    yield "actions", "actions"
    yield "agents", "agents"
    yield "an agent", f"agents/{busy.pk}"
    yield "an agent’s actions", f"agents/{busy.pk}/actions"


class Slow:
    """Prints queries that took longer than so many milliseconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = (time.perf_counter() - begun) * 1000
            if took > self.limit:
                print(
                    f"    {took:.0f} ms: {' '.join(sql.split())[:1500]}\n    {str(params)[:300]}", file=sys.stderr
                )


def measure(runs: int, slow: float | None) -> list[dict[str, Any]]:
    from django.db import connection
    from django.test import Client

    from postcall.workspaces.models import User, Workspace

    client = Client()
    client.force_login(User.objects.get(email="bench@northgate.example"))
    workspace = Workspace.objects.get(name="Northgate Clinic")
    figures = []
    for what, where in pages():
        address = f"/w/{workspace.pk}/{where}"
        with connection.execute_wrapper(Slow(slow or 1e9)):
            answer = client.get(address)
        if answer.status_code not in (200, 204):
            raise SystemExit(f"{what}: {answer.status_code} at {address}")
        took = []
        for _ in range(runs):
            begun = time.perf_counter()
            client.get(address)
            took.append((time.perf_counter() - begun) * 1000)
        took.sort()
        worst = took[min(len(took) - 1, round(0.95 * len(took)))]
        median = statistics.median(took)
        figures.append(
            {"page": what, "best_ms": round(took[0]), "median_ms": round(median), "p95_ms": round(worst)}
        )
        print(f"{what:42} {took[0]:6.0f} {median:6.0f} {worst:6.0f}", file=sys.stderr)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--slow", type=float)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postcall-bench-") as folder:
        figures = bench(options.data or Path(folder) / "data", options)
    if options.json:
        print(json.dumps(figures))
        return
    print("| page | best, ms | median, ms | p95, ms |\n|---|---|---|---|")
    for row in figures:
        print(f"| {row['page']} | {row['best_ms']} | {row['median_ms']} | {row['p95_ms']} |")


def bench(data: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    from postcall.database.embedded import EmbeddedDatabase

    database = EmbeddedDatabase(data, settings={"fsync": "off", "max_wal_size": "16GB"})
    os.environ["DATABASE_URL"] = database.start()
    os.environ["POSTCALL_SECRET_KEY"] = "a-key-of-the-bench-only-0123456789abcdef"
    os.environ["DJANGO_SETTINGS_MODULE"] = "postcall.settings"
    import django

    django.setup()
    from django.db import connections

    try:
        from django.core.management import call_command
        from django.test.utils import setup_test_environment

        from postcall.calls.models import Call

        setup_test_environment()
        call_command("migrate", verbosity=0)
        if not Call.objects.exists():
            with indexed_afterwards(["call", "follow_up", "message"]):
                fill(options.calls)
            with connections["default"].cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        elif not Call.objects.filter(external_id=LONG).exists():
            raise SystemExit(f"{data} was filled in part only: remove it.")
        return measure(options.runs, options.slow)
    finally:
        connections.close_all()
        database.stop()


if __name__ == "__main__":
    main()
