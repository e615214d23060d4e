"""`postcall backtest` and `postcall cases`: an action's words tried on many calls, without sending."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.calls import agent_named, bar
from postcall.cli.environment import looking, prepared
from postcall.cli.keeping import Yes
from postcall.cli.model_keys import missing_key
from postcall.cli.output import fail, note, out, print_json
from postcall.cli.people import AsJson, InWorkspace, workspace_named
from postcall.config import config

if TYPE_CHECKING:
    from postcall.actions.models import Action
    from postcall.testbench.cases import Score, Standing
    from postcall.testbench.models import BenchItem, BenchRun
    from postcall.testbench.runs import Words
    from postcall.testbench.selecting import Expected, Selection
    from postcall.testbench.summary import Summary
    from postcall.workspaces.audit import Thing
    from postcall.workspaces.models import Workspace

# What the shell takes for "interrupted".
INTERRUPTED = 130
# A part of the work between two looks, where this command does it.
PART_S = 0.5
# Whoever works a run without a heartbeat has it for so long.
HELD = timedelta(minutes=2)
LOOK_EVERY_S = 0.2
MOST_SHOWN = 20
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_OUTCOMES = {
    "would_send": ("would send", "green"),
    "would_not": ("would not send", "red"),
    "unclear": ("unclear", "yellow"),
}
_MARKS = {
    "pass": ("pass", "green"),
    "fail": ("FAIL", "red"),
    "unclear": ("unclear", "yellow"),
    "unknown": ("not judged yet", "dim"),
}

Since = Annotated[
    datetime | None, typer.Option(formats=_DATES, metavar="DATE", help="Calls that arrived from then on (UTC).")
]
Until = Annotated[
    datetime | None, typer.Option(formats=_DATES, metavar="DATE", help="Calls that arrived before then (UTC).")
]


def backtest(
    action: Annotated[str | None, typer.Argument(metavar="ACTION", help="An action’s name or id.")] = None,
    condition: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Try this; by default the action’s own.")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Try this; by default the action’s own.")
    ] = None,
    latest: Annotated[int, typer.Option(min=1, max=2_000, help="So many of the newest calls.")] = 100,
    since: Since = None,
    until: Until = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME|ID", help="Calls of this agent; by default of those that use the action."),
    ] = None,
    resume: Annotated[UUID | None, typer.Option(metavar="ID", help="Go on with one that was stopped.")] = None,
    in_workspace: InWorkspace = "Default",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Try an action’s words on calls of the past: what would have been sent, and what that changes. Nothing is
    sent. Ctrl-C stops it; --resume goes on."""
    given = [condition, message, since, until, agent]
    if (action is None) == (resume is None) or (resume and any(each is not None for each in given)):
        raise typer.BadParameter("give an ACTION with what to try, or --resume ID alone", param_hint="ACTION")
    with prepared():
        tenant = workspace_named(in_workspace)
        if resume is not None:
            run = _resumed(tenant, resume, yes)
        else:
            assert action is not None
            chosen = _action_named(tenant, action)
            selection = _selection(tenant, agent, since, until, latest)
            run = _begun(chosen, _words(chosen, condition, message), selection, yes)
        run = _followed(run, f"postcall backtest --resume {run.pk}", tenant)
        _show_run(run, as_json)
    if run.state != run.State.DONE:
        raise fail(_ended_early(run))


def cases(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="An action’s name or id.")],
    run_them: Annotated[bool, typer.Option("--run", help="Judge them now; exit code 1 if one fails.")] = False,
    condition: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Hold them against this; by default the action’s own.")
    ] = None,
    in_workspace: InWorkspace = "Default",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show an action’s cases, the calls whose answer is known, and what its condition is worth by them."""
    with prepared() if run_them else looking():
        from postcall.testbench.cases import score, standings

        tenant = workspace_named(in_workspace)
        chosen = _action_named(tenant, action)
        words = _words(chosen, condition, None)
        if run_them:
            run = _followed(_begun_cases(chosen, words, yes), "", tenant)
            if run.state != run.State.DONE:
                raise fail(_ended_early(run))
        found = standings(chosen, words.condition)
        worth = score(found)
        if as_json:
            _print_cases_json(words.condition, found, worth)
        else:
            _print_cases(found, worth)
    if run_them and worth.failed:
        raise fail(f"{worth.failed} of {worth.cases} cases fail")


def _action_named(tenant: Workspace, named: str) -> Action:
    from postcall.actions.models import Action
    from postcall.workspaces.scope import within

    living = within(tenant, Action).filter(deleted_at=None).select_related("revision")
    with suppress(ValueError):
        if found := living.filter(pk=UUID(named)).first():
            return found
    same = list(living.filter(name__iexact=named)[:2])
    if len(same) > 1:
        raise fail(f"ACTION: several are called “{named}”; give the id of one")
    if not same:
        known = ", ".join(living.order_by("name").values_list("name", flat=True)[:MOST_SHOWN])
        raise fail(f"ACTION: there is no “{named}” in {tenant.name}; there are: {known or 'none yet'}")
    return same[0]


def _words(action: Action, condition: str | None, message: str | None) -> Words:
    from postcall.actions.editing import sendable
    from postcall.shapes import storable
    from postcall.testbench.runs import Words

    assert action.revision is not None
    own = Words.of(action.revision)
    if condition is not None and not 0 < len(condition.strip()) <= 2_000:
        raise typer.BadParameter("1 to 2,000 characters", param_hint="--condition")
    try:
        said = own.message if message is None else sendable(storable(message))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--message") from None
    if condition is None:
        return Words(own.condition, said, own.always)
    return Words(storable(condition).strip(), said)


def _selection(
    tenant: Workspace, agent: str | None, since: datetime | None, until: datetime | None, latest: int
) -> Selection:
    from postcall.testbench.selecting import Selection

    start, end = _in_utc(since), _in_utc(until)
    if start and end and start >= end:
        raise typer.BadParameter("it has to be before --until", param_hint="--since")
    return Selection(agent_named(tenant, agent) if agent else None, start, end, latest)


def _in_utc(said: datetime | None) -> datetime | None:
    return said.replace(tzinfo=UTC) if said is not None and said.tzinfo is None else said


def _begun(action: Action, words: Words, selection: Selection, yes: bool) -> BenchRun:
    from postcall.testbench.runs import begin_backtest
    from postcall.testbench.selecting import expected, selected
    from postcall.workspaces.audit import Actor

    _confirm(expected(selected(action, selection)), yes)
    return _told("begin", lambda: begin_backtest(action, words, selection, Actor.at_command_line()))


def _begun_cases(action: Action, words: Words, yes: bool) -> BenchRun:
    from postcall.testbench.models import ActionCase
    from postcall.testbench.runs import begin_cases, readable
    from postcall.testbench.selecting import expected
    from postcall.workspaces.audit import Actor, Thing

    calls = [case.call_id for case in readable(ActionCase.objects.filter(action=action)) if case.call_id]
    _confirm(expected(calls), yes)
    about = Thing("action", action.pk, action.name)
    return _told("run_cases", lambda: begin_cases(action, words, Actor.at_command_line()), about)


def _resumed(tenant: Workspace, pk: UUID, yes: bool) -> BenchRun:
    from postcall.testbench.models import BenchRun
    from postcall.testbench.runs import resume
    from postcall.testbench.selecting import expected
    from postcall.workspaces.scope import within

    run = within(tenant, BenchRun).filter(pk=pk).first()
    if run is None:
        raise fail(f"--resume: there is no backtest {pk} in {tenant.name}")
    if run.is_at_work:
        note("It is at work already: this command only watches.")
        return run
    left = run.items.filter(judged_at=None, call__isnull=False)
    _confirm(expected(list(left.values_list("call_id", flat=True))), yes)
    return _told("go_on", lambda: resume(run))


def _told(verb: str, change: Callable[[], BenchRun], about: Thing | None = None) -> BenchRun:
    """What changes, and its entry in the audit log, as one transaction."""
    from django.db import transaction

    from postcall.testbench.runs import NotPossible
    from postcall.workspaces.audit import Actor, record

    try:
        with transaction.atomic():
            run = change()
            told = {"cases" if about else "calls": [None, run.total]}
            record(run.workspace_id, Actor.at_command_line(), verb, about or _thing(run), told)
            return run
    except NotPossible as refusal:
        raise fail(str(refusal)) from None


def _thing(run: BenchRun) -> Thing:
    from postcall.workspaces.audit import Thing

    return Thing("backtest", run.pk, run.action.name)


def _confirm(takes: Expected, yes: bool) -> None:
    """Asks before a judge is used that may have to be paid; says what it will take in any case."""
    model = config().judge_model
    if model == "offline":
        note(f"{takes.calls} calls, judged by the built-in judge.")
        return
    if mend := missing_key(model):
        raise fail(mend)
    price = "at a price that is not known here" if takes.cost is None else f"for about USD {takes.cost:.2f}"
    said = f"{takes.calls} calls, judged by {model}: about {takes.tokens or 0:,} tokens {price}"
    if yes or not takes.calls:
        note(f"{said}.")
    elif not sys.stdin.isatty():
        raise fail(f"{said}: say --yes to agree to it")
    else:
        typer.confirm(f"{said}. Begin?", abort=True, err=True)


def _followed(run: BenchRun, to_resume: str, tenant: Workspace) -> BenchRun:
    """Waits until it has ended: a worker's progress is followed; where none lives, it is done here."""
    try:
        return _until_it_ends(run)
    except KeyboardInterrupt:
        stopped = _stopped(run)
        how = f" Go on with `{to_resume}{_in(tenant)}`." if to_resume else ""
        note(f"Stopped after {stopped.done} of {stopped.total}; what was judged is kept.{how}")
        raise typer.Exit(INTERRUPTED) from None


def _in(tenant: Workspace) -> str:
    return "" if tenant.is_default else f" --workspace {json.dumps(tenant.name, ensure_ascii=False)}"


def _stopped(run: BenchRun) -> BenchRun:
    from django.db import transaction

    from postcall.testbench.runs import NotPossible, cancel
    from postcall.workspaces.audit import Actor, record

    with suppress(NotPossible), transaction.atomic():
        record(run.workspace_id, Actor.at_command_line(), "cancel", _thing(run))
        cancel(run)
    run.refresh_from_db()
    return run


def _until_it_ends(run: BenchRun) -> BenchRun:
    from postcall.judge.choose import judge_from_config
    from postcall.testbench.working import work
    from postcall.work.leases import LostLease, let_go, take_one
    from postcall.work.seen import seen_lately

    said: set[str] = set()

    def say_once(text: str) -> None:
        if text and text not in said:
            said.add(text)
            note(text)

    with bar() as progress:
        task = progress.add_task("Trying", total=run.total)
        while True:
            run.refresh_from_db()
            progress.update(task, completed=run.done)
            if not run.is_at_work:
                return run
            if run.problem:
                say_once(f"The judge is asked again: {run.problem}")
            held = None if seen_lately() else take_one(run, HELD)
            if held is None:
                time.sleep(LOOK_EVERY_S)
                continue
            say_once("No worker is running: this command does the work itself.")
            try:
                work(held, judge_from_config(), slice_s=PART_S)
            except LostLease:
                continue  # a worker has begun meanwhile, and goes on
            except BaseException:
                let_go(held)
                raise


def _ended_early(run: BenchRun) -> str:
    if run.state == run.State.FAILED:
        return f"it failed after {run.done} of {run.total}: {run.problem}"
    return f"it was canceled after {run.done} of {run.total}, elsewhere or for newer words"


def _show_run(run: BenchRun, as_json: bool) -> None:
    from postcall.testbench.summary import results, summary

    items = results(run).select_related("call__agent").defer("call__transcript", "call__variables", "call__hints")
    if as_json:
        # As the API shows them, so that a program needs to know one shape.
        from postcall.api.testbench_shapes import result_out, run_out

        shown = run_out(run).model_dump(mode="json", by_alias=True)
        print_json(shown | {"results": [result_out(item).model_dump(mode="json", by_alias=True) for item in items]})
        return
    found = summary(run)
    _print_summary(run, found)
    if run.compares:
        _print_items("Changed", results(run, change="any").select_related("call"), found.changed)
    else:
        _print_items("Would get a text", results(run, "would_send").select_related("call"), found.would_send)


def _print_summary(run: BenchRun, found: Summary) -> None:
    table = Table("", "calls", title=Text(run.action.name))
    for outcome, (name, style) in _OUTCOMES.items():
        table.add_row(Text(name, style=style), str(getattr(found, outcome)))
    if run.compares:
        table.add_section()
        table.add_row(f"changed against revision {run.revision.number}", str(found.changed))
        table.add_row("  would get a text now", str(found.newly))
        table.add_row("  would get none any more", str(found.no_longer))
    out.print(table)
    prices = [f"{currency} {price:.2f}" for currency, price in found.price.items()]
    if found.unpriced:
        prices.append(f"{found.unpriced} of unknown price")
    texts = f"{found.segments} segments, about {' and '.join(prices)}" if found.would_send else "none"
    out.print(Text(f"Texts: {texts}. Nothing was sent."))
    if found.requests:
        price = "a price that is not known here" if found.cost is None else f"about USD {found.cost:.4f}"
        tokens = found.input_tokens + found.output_tokens
        out.print(Text(f"Judging ({run.judge}): {found.requests} requests, {tokens:,} tokens, {price}."))


def _print_items(title: str, items: Iterable[BenchItem], count: int) -> None:
    if not count:
        return
    out.print(Text(f"\n{title}:", style="bold"))
    for item in list(items)[:MOST_SHOWN]:
        _print_item(item)
    if count > MOST_SHOWN:
        note(f"… and {count - MOST_SHOWN} more; --json has them all.")


def _print_item(item: BenchItem) -> None:
    call = item.call
    when = f" of {call.received_at:%Y-%m-%d %H:%M}" if call else ""
    line = Text(f"  {call.external_id if call else ''}{when}: ")
    if item.before_outcome and item.before_outcome != item.outcome:
        line.append(*_OUTCOMES[item.before_outcome]).append(" → ")
    line.append(*_OUTCOMES[item.outcome])
    if item.reason:
        line.append(f" ({item.reason})", style="dim")
    out.print(line)
    said = item.verdict or {}
    if said.get("reason"):
        out.print(Text(f"    {said['reason']}"))
    for quote in said.get("evidence", []):
        out.print(Text(f"    turn {quote['turn']}: “{quote['quote']}”", style="dim"))


def _print_cases(found: list[Standing], worth: Score) -> None:
    if not found:
        note("This action has no cases yet: mark a verdict of it as right or wrong, or POST /actions/{id}/cases.")
        return
    table = Table("", "expected", "judged", "call", "why")
    for each in found:
        case = each.case
        reason = (each.item.verdict or {}).get("reason", "") if each.item else ""
        table.add_row(
            Text(*_MARKS[each.mark]),
            case.expected.replace("_", " "),
            each.result.replace("_", " ") or "–",
            Text(case.call.external_id if case.call else "pasted words"),
            Text(case.note or reason),
        )
    out.print(table)
    out.print(
        Text(
            f"{worth.passed} pass, {worth.failed} fail, {worth.unclear} unclear, {worth.unknown} not judged yet. "
            f"Precision {_share(worth.precision)}, recall {_share(worth.recall)}."
        )
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _print_cases_json(condition: str, found: list[Standing], worth: Score) -> None:
    from postcall.api.testbench_shapes import case_standing, score_out

    print_json(
        {
            "condition": condition or None,
            "score": score_out(worth).model_dump(mode="json"),
            "items": [case_standing(each).model_dump(mode="json", by_alias=True) for each in found],
        }
    )
