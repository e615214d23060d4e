"""`postcall ingest` and `postcall sample`: putting recorded calls through."""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from postcall.cli.addresses import ask_directly, local_url
from postcall.cli.environment import data_dir, prepared, sign_in_password
from postcall.cli.output import err, fail, note, out, print_json
from postcall.cli.people import AsJson, InWorkspace, workspace_named

if TYPE_CHECKING:
    from postcall.agents.models import Agent
    from postcall.calls.models import Call
    from postcall.calls.origin import Origin
    from postcall.sources.ended_call import EndedCall
    from postcall.sources.kind import Addition, Ignored
    from postcall.workspaces.models import Workspace

    Read = EndedCall | Addition | Ignored

DECIDED_S = 180.0
MOST_SHOWN = 20


def bar() -> Progress:
    """A progress bar on standard error, so that output stays a program's."""
    said = TextColumn("{task.description}", markup=False)
    return Progress(said, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err)


def ingest(
    files: Annotated[
        list[Path], typer.Argument(metavar="CALL.json…", help="Files, JSONL files, exports, or folders of them.")
    ],
    source: Annotated[
        str,
        typer.Option(
            metavar="KIND|NAME|ID",
            help="The platform whose form they have, or the source that they belong to: its name or id.",
        ),
    ] = "api",
    agent: Annotated[
        str | None, typer.Option(help="Give every call to this agent: its id, name or external id.")
    ] = None,
    in_workspace: InWorkspace = "Default",
    wait: Annotated[
        bool, typer.Option(help="Wait until workers have decided them, and count the outcomes.")
    ] = True,
    follow_up: Annotated[
        bool | None,
        typer.Option(
            "--follow-up/--for-the-log",
            help="Judge them and text, also about calls that ended more than a day ago; or only store them.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put recorded calls through, as if their platform had just sent them. A call already known is not repeated."""
    found = list(_payloads(files))
    if not found:
        raise fail("no calls found: give .json or .jsonl files, or folders that hold them")
    with prepared():
        from postcall.calls.origin import put_in

        tenant = workspace_named(in_workspace)
        origin = _origin(tenant, source)
        given = agent_named(tenant, agent) if agent else None
        ours = [(where, raw) for where, raw, kind in found if kind in (None, origin.kind)]
        readable, problems = _read(ours, origin.kind)
        if follow_up is None:
            _refuse_old_ones(tenant, [read for _, read in readable])
        counts: Counter[str] = Counter()
        ids: dict[UUID, None] = {}
        with bar() as progress:
            for raw, read in progress.track(readable, description="Storing"):
                done = put_in(origin, read, raw, given, follow_up=follow_up is not False)
                counts[done.status] += 1
                if done.call is not None:
                    ids[done.call.pk] = None
        counts += Counter({"of another platform": len(found) - len(ours)})
        outcomes = _outcomes(list(ids), wait)
    if as_json:
        print_json({"received": counts, "problems": problems, "outcomes": outcomes})
    elif counts:
        _print_counts(counts, outcomes)
    _tell_problems(problems, len(found), bool(counts))


def _read(found: list[tuple[str, bytes]], kind: str) -> tuple[list[tuple[bytes, Read]], list[str]]:
    """The payloads with what they say, and what is wrong with the others."""
    from postcall.sources.kind import Unreadable
    from postcall.sources.payloads import in_words, read_payload

    readable: list[tuple[bytes, Read]] = []
    problems: list[str] = []
    with bar() as progress:
        for where, raw in progress.track(found, description="Reading"):
            try:
                readable.append((raw, read_payload(kind, raw)))
            except Unreadable as error:
                problems.append(f"{where}: {in_words(error)}")
    return readable, problems


def _refuse_old_ones(tenant: Workspace, reads: list[Read]) -> None:
    """Nobody is texted about a call of last month because its file was put in: whoever means to says so."""
    from postcall.calls.lateness import ended_long_ago
    from postcall.messages.accounts import reaches_phones
    from postcall.sources.ended_call import EndedCall
    from postcall.work import clock

    now = clock.now()
    ended = [read for read in reads if isinstance(read, EndedCall)]
    old = sum(ended_long_ago(read.started_at, read.ended_at, now) for read in ended)
    if old and reaches_phones(tenant):
        raise fail(
            f"{old} of {len(reads)} ended more than a day ago, and nothing was stored: give --follow-up to judge "
            "them and text their callers as if they had just ended, or --for-the-log to store them only"
        )


def _tell_problems(problems: list[str], of: int, some_stored: bool) -> None:
    for problem in problems[:MOST_SHOWN]:
        err.print(Text.assemble(("refused", "red"), f" {problem}"))
    if len(problems) > MOST_SHOWN:
        note(f"… and {len(problems) - MOST_SHOWN} more")
    if problems:
        rest = "the others are stored" if some_stored else "nothing was stored"
        raise fail(f"{len(problems)} of {of} could not be read; {rest}")


def _origin(tenant: Workspace, named: str) -> Origin:
    from postcall.calls.origin import Ambiguous, UnknownOrigin, origin_of

    try:
        return origin_of(tenant, named)
    except UnknownOrigin as error:
        raise typer.BadParameter(str(error), param_hint="--source") from None
    except Ambiguous as error:
        raise fail(f"--source: {error}") from None


def agent_named(tenant: Workspace, agent: str) -> Agent:
    from postcall.agents.models import Agent
    from postcall.calls.receive import find_agent

    named = (
        find_agent(tenant, "api", agent)
        or Agent.objects.filter(workspace=tenant, name__iexact=agent, deleted_at=None).first()
    )
    if named is None:
        known = ", ".join(
            Agent.objects.filter(workspace=tenant, deleted_at=None).values_list("name", flat=True)[:20]
        )
        raise fail(f"--agent: there is no “{agent}” in {tenant.name}; there are: {known or 'none yet'}")
    return named


def _payloads(files: list[Path]) -> Iterator[tuple[str, bytes, str | None]]:
    """Every payload with where it stands, and the platform that it came from where that is known (an export)."""
    for path in files:
        if path.is_dir():
            yield from _payloads(sorted([*path.glob("*.json"), *path.glob("*.jsonl")]))
            continue
        content = path.read_bytes()
        if path.suffix == ".jsonl":
            lines = [(f"{path} line {number}", line) for number, line in enumerate(content.splitlines(), 1)]
            full = [(where, line) for where, line in lines if line.strip()]
            yield from _exported(full) if _is_export(full) else ((*each, None) for each in full)
        else:
            yield str(path), content, None


def _is_export(lines: list[tuple[str, bytes]]) -> bool:
    """Whether these are what `postcall export` wrote: a workspace, not its calls alone."""
    try:
        first = json.loads(lines[0][1]) if lines else None
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and first.get("kind") == "export"


def _exported(lines: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes, str | None]]:
    """What the platforms sent, of all that an export holds; a call stands before its payloads."""
    platforms: dict[str, str] = {}
    for where, line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            raise fail(f"{where}: this is no line of an export: was the file cut short?") from None
        if row["kind"] == "call":
            platforms[row["id"]] = row["source_kind"]
        elif row["kind"] == "raw_payload":
            body = row["body"].encode() if "body" in row else base64.b64decode(row["body_base64"])
            yield where, body, platforms.get(row["call_id"])


def _outcomes(ids: list[UUID], wait: bool) -> dict[str, int]:
    """Counts of outcomes and reasons of these calls' follow-ups, once all are decided."""
    from postcall.calls.models import Call
    from postcall.followups.models import FollowUp
    from postcall.work.seen import seen_lately

    if not ids:
        return {}
    if thin := Call.objects.filter(pk__in=ids, final=False, due_at__isnull=False).count():
        note(f"{thin} of them wait for the richer report that their platform announced, some two minutes at most.")
    if wait and not seen_lately():
        note("No worker is running: the calls are stored and wait for `postcall up` or `postcall worker`.")
    elif wait:
        with bar() as progress:
            task = progress.add_task("Deciding", total=len(ids))
            done = 0
            deadline = time.monotonic() + DECIDED_S
            while time.monotonic() < deadline:
                done = Call.objects.filter(pk__in=ids, status__in=("done", "unassigned")).count()
                if done > progress.tasks[task].completed:
                    deadline = time.monotonic() + DECIDED_S  # as long as it moves
                progress.update(task, completed=done)
                if done == len(ids):
                    break
                time.sleep(0.2)
        if done < len(ids):
            note(
                f"{len(ids) - done} are not decided yet, and none was in {DECIDED_S:.0f} s: no longer waiting. "
                "They are stored; the dashboard shows them as they are decided."
            )
    counts: Counter[str] = Counter()
    for outcome, reason in FollowUp.objects.filter(call_id__in=ids).values_list("outcome", "reason"):
        counts[f"{outcome}: {reason}" if reason else outcome] += 1
    if unassigned := Call.objects.filter(pk__in=ids, status="unassigned").count():
        counts["unassigned calls (their agent is unknown)"] = unassigned
    return dict(counts.most_common())


def _print_counts(counts: Counter[str], outcomes: dict[str, int]) -> None:
    table = Table("", "calls", title="Received")
    for status, count in counts.most_common():
        table.add_row(status, str(count))
    out.print(table)
    if outcomes:
        table = Table("outcome", "follow-ups", title="What became of them")
        for name, count in outcomes.items():
            table.add_row(name, str(count))
        out.print(table)


def sample(as_json: AsJson = False) -> None:
    """Set up the sample workspace and put its calls through a running Postcall, once; show what became of them."""
    with prepared():
        from postcall.bootstrap import local_owner, sample_workspace

        if password := sign_in_password():
            local_owner(password)
        tenant, api_key = sample_workspace(_sample_key())
        with_api = _Api(local_url(), api_key)
        _set_up(with_api)
        fresh = _put_through(with_api, tenant)
        rows = _sample_rows(tenant)
    if as_json:
        print_json(rows)
        return
    if not fresh:
        note("The sample calls were put through before; nothing was repeated.")
    _print_samples(rows)


def _sample_key() -> str:
    from postcall.database import embedded

    return embedded.generated_secret(data_dir(), "sample-api-key", lambda: f"pc_{secrets.token_urlsafe(32)}")


class _Api:
    """The REST API as any program uses it."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = f"{base_url}/api/v1"
        self._key = key

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: object) -> Any:
        request = urllib.request.Request(
            self._base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            with ask_directly(request, 60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise fail(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:500]}") from None
        except OSError as error:
            raise fail(
                f"Postcall does not answer at {self._base_url}: {error}; start it with `postcall up`"
            ) from None


def _set_up(api: _Api) -> None:
    """Makes what is missing of the sample workspace's agents, actions and attachments."""
    from postcall.samples import load_workspace

    samples = load_workspace()
    agents = {agent["name"]: agent["id"] for agent in api.get("/agents?limit=100")["items"]}
    actions = {action["name"]: action["id"] for action in api.get("/actions?limit=100")["items"]}
    agent_ids, action_ids = {}, {}
    for agent in samples.agents:
        name = str(agent.body["name"])
        agent_ids[agent.key] = agents.get(name) or api.post("/agents", agent.body)["id"]
    for action in samples.actions:
        name = str(action.body["name"])
        action_ids[action.key] = actions.get(name) or api.post("/actions", action.body)["id"]
    for key, agent_id in agent_ids.items():
        attached = {row["action_id"] for row in api.get(f"/agents/{agent_id}/attachments?limit=100")["items"]}
        for attachment in samples.attachments:
            if attachment.agent == key and action_ids[attachment.action] not in attached:
                api.post(
                    f"/agents/{agent_id}/attachments",
                    attachment.body | {"action_id": action_ids[attachment.action]},
                )


def _put_through(api: _Api, tenant: Workspace) -> bool:
    """Posts the sample calls that are not there yet and waits until all texts have moved; False: none was new."""
    from django.utils import timezone

    from postcall.calls.models import Call
    from postcall.messages.models import Message
    from postcall.samples import load_calls

    known = set(Call.objects.filter(workspace=tenant).values_list("external_id", flat=True))
    fresh = [call for call in load_calls(timezone.now()) if call.call.external_id not in known]
    calls = Call.objects.filter(workspace=tenant, external_id__startswith="sample-")
    unsettled = Message.objects.filter(
        workspace=tenant, status__in=("queued", "sending", "accepted", "sent", "unconfirmed")
    )
    with bar() as progress:
        for call in progress.track(fresh, description="Sample calls come in"):
            api.post("/calls", call.body)
        task = progress.add_task("Judged, sent, delivered", total=calls.count())
        deadline = time.monotonic() + DECIDED_S
        while time.monotonic() < deadline:
            done = calls.filter(status__in=("done", "unassigned")).count()
            waiting = unsettled.count() if fresh else 0
            progress.update(task, completed=max(0, done - waiting))
            if done == calls.count() and not waiting:
                break
            time.sleep(0.1)
    return bool(fresh)


def _sample_rows(tenant: Workspace) -> list[dict[str, Any]]:
    from postcall.calls.models import Call

    calls = Call.objects.filter(workspace=tenant, external_id__startswith="sample-").order_by("started_at", "id")
    related = calls.select_related("agent").prefetch_related("follow_ups__action", "follow_ups__message")
    return [row for call in related for row in _rows_of(call)]


def _rows_of(call: Call) -> list[dict[str, Any]]:
    base = {"call": call.external_id.removeprefix("sample-"), "agent": call.agent.name if call.agent else None}
    follow_ups = list(call.follow_ups.all())
    if not follow_ups:
        why = "agent_unknown" if call.status == "unassigned" else None
        return [base | {"action": None, "outcome": call.status, "why": why, "status": None, "text": None}]
    rows = []
    for follow_up in follow_ups:
        message = getattr(follow_up, "message", None)
        rows.append(
            base
            | {
                "action": follow_up.action.name,
                "outcome": follow_up.outcome,
                "why": follow_up.reason or follow_up.result or None,
                "status": message.status if message else None,
                "text": follow_up.body or None,
            }
        )
    return rows


_MARKS = {
    "held": ("? ", "yellow"),
    "failed": ("✗ ", "red"),
    "undelivered": ("✗ ", "red"),
    "unassigned": ("? ", "yellow"),
}


def _print_samples(rows: list[dict[str, Any]]) -> None:
    """A row a call; what was skipped shares one line, so that what went out or waits is seen first."""
    table = Table("Call", "What happened", title="What became of the sample calls", expand=True, show_lines=True)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    table.columns[1].ratio = 1
    for name, of_call in groupby(rows, key=lambda row: str(row["call"])):
        table.add_row(Text(name), _what_happened(list(of_call)))
    out.print(table)
    counts = Counter(row["status"] or row["outcome"] for row in rows)
    out.print("   ".join(f"{count} {name}" for name, count in counts.most_common()), highlight=False)


def _what_happened(rows: list[dict[str, Any]]) -> Text:
    skipped = [f"{row['action']} ({_words(row['why'])})" for row in rows if row["outcome"] == "skipped"]
    lines = []
    for row in rows:
        if row["outcome"] == "skipped":
            continue
        outcome = row["status"] or row["outcome"]
        mark, style = _MARKS.get(outcome, ("✓ ", "green"))
        said = " ".join(row["text"].split()) if row["status"] and row["text"] else _words(row["why"])
        lines.append(
            Text.assemble((f"{mark}{outcome}", style), f"  {row['action'] or 'no agent'}: ", (said, "dim"))
        )
    if skipped:
        lines.append(Text(f"– skipped  {', '.join(skipped)}", style="dim"))
    return Text("\n").join(lines)


def _words(reason: str | None) -> str:
    return (reason or "").replace("_", " ")
