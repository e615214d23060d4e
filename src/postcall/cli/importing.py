"""`postcall import`: taking over what was set up elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from postcall.cli.calls import bar
from postcall.cli.environment import looking, prepared
from postcall.cli.output import fail, note, out, print_json
from postcall.cli.people import AsJson, InWorkspace, workspace_named
from postcall.config import read_secret

if TYPE_CHECKING:
    from rich.progress import TaskID

    from postcall.synthflow.account import Account
    from postcall.synthflow.importing import Step

imports = typer.Typer(help="Take over what was set up elsewhere.", no_args_is_help=True)

KEY_VARIABLE: Final = "SYNTHFLOW_API_KEY"
LONG_WAIT_S: Final = 5.0
_READING: Final = {"agents": "Reading agents", "actions": "Reading actions", "details": "Reading each text"}
_DOES: Final[dict[str, tuple[str, str]]] = {
    "make": ("make", "green"),
    "here": ("here already", "dim"),
    "differs": ("differs, left as it is", "yellow"),
    "skip": ("skip", "yellow"),
}


class Mode(StrEnum):
    off = "off"
    shadow = "shadow"
    approve = "approve"
    live = "live"


@imports.callback()
def _group() -> None:
    pass


@imports.command("synthflow")
def import_synthflow(
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            help=f"Synthflow’s API key. Others on this machine may see a command line: {KEY_VARIABLE} or "
            f"{KEY_VARIABLE}_FILE in the environment keeps it to yourself.",
        ),
    ] = None,
    base_url: Annotated[
        str,
        typer.Option("--base-url", help="Of your region: https://api.eu.synthflow.ai/v2 or https://api.us.… too."),
    ] = "https://api.synthflow.ai/v2",
    in_workspace: InWorkspace = "Default",
    mode: Annotated[
        Mode, typer.Option(help="Of what is attached: shadow decides and writes the texts, and sends none.")
    ] = Mode.shadow,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy agents and their post-call SMS actions out of Synthflow.

    Nothing is changed there, and nothing here that is here already: run it as often as you like. docs/synthflow.md
    says what becomes of what."""
    if dry_run and yes:
        raise typer.BadParameter("it changes nothing, so there is nothing to confirm", param_hint="--dry-run")
    secret = _key(key)
    with looking() if dry_run else prepared():
        from postcall.synthflow.importing import WHAT_TO_DO, plan

        workspace = workspace_named(in_workspace)
        account = _read(base_url, secret)
        steps = plan(workspace, account, mode.value)
        if not as_json:
            _show(steps, account, workspace.name)
        goes_on = not dry_run and _wanted(steps, yes=yes, as_json=as_json)
        done = _carry_out(steps) if goes_on else []
        if as_json:
            print_json(_as_json(steps, account, workspace.name, mode, done if goes_on else None))
        elif goes_on:
            _show_done(done, WHAT_TO_DO[mode.value])
        failed = [each for each in done if each.does == "skip"]
        if failed:
            raise fail(
                f"{len(failed)} of {len(done)} could not be made; the others were. Run it again for the rest"
            )


def _key(given: str | None) -> str:
    """Out of the option, else out of the environment."""
    path, value = os.environ.get(f"{KEY_VARIABLE}_FILE"), os.environ.get(KEY_VARIABLE)
    if given is None and path and value:
        raise fail(f"{KEY_VARIABLE}: set it or {KEY_VARIABLE}_FILE, not both")
    found = given or value or (read_secret(KEY_VARIABLE, path) if path else "")
    if not found.strip():
        raise fail(
            f"an API key of Synthflow is needed (there: Settings, API keys): {KEY_VARIABLE} or {KEY_VARIABLE}_FILE "
            "in the environment, or --key"
        )
    return found.strip()


def _read(base_url: str, secret: str) -> Account:
    from postcall.synthflow.account import read_account
    from postcall.synthflow.client import CannotRead, Synthflow

    try:
        with Synthflow(base_url, secret, sleep=_wait) as synthflow, bar() as progress:
            tasks: dict[str, TaskID] = {}

            def told(what: str, done: int, of: int) -> None:
                if what not in tasks:
                    tasks[what] = progress.add_task(_READING[what], total=of)
                progress.update(tasks[what], completed=done, total=of)

            return read_account(synthflow, told)
    except CannotRead as error:
        raise fail(str(error)) from None


def _wait(seconds: float) -> None:
    if seconds >= LONG_WAIT_S:
        note(f"Synthflow asks for patience: going on in {seconds:.0f} s.")
    time.sleep(seconds)


def _wanted(steps: Sequence[Step], *, yes: bool, as_json: bool) -> bool:
    to_make = sum(step.does == "make" for step in steps)
    if not to_make:
        if not as_json:
            note("Nothing is left to do.")
        return False
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        if not as_json:
            note("Nothing was changed: say --yes to do it.")
        return False
    if typer.confirm(f"Make these {to_make}?", err=True):
        return True
    note("Nothing was changed.")
    return False


def _carry_out(steps: list[Step]) -> list[Step]:
    from postcall.synthflow.importing import carry_out
    from postcall.workspaces.audit import Actor

    done: list[Step] = []
    with bar() as progress:
        task = progress.add_task("Importing", total=sum(step.does == "make" for step in steps))
        for step in carry_out(steps, Actor.at_command_line()):
            done.append(step)
            progress.advance(task)
    return done


def _show(steps: Sequence[Step], account: Account, workspace: str) -> None:
    table = Table(title=Text(f"From Synthflow into {workspace}"), title_justify="left")
    for heading in ("What", "Name", "Then", "Note"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        said, style = _DOES[step.does]
        table.add_row(Text(step.what), Text(step.name), Text(said, style=style), Text("\n".join(step.notes)))
    if steps:
        out.print(table)
    counts: Counter[str] = Counter(step.does for step in steps)
    told = [f"{counts[does]} {said}" for does, (said, _) in _DOES.items() if counts[does]]
    out.print(Text("; ".join(told) or "There are no agents, and no SEND_SMS actions."))
    if account.others:
        others = ", ".join(f"{count} {kind}" for kind, count in sorted(account.others.items()))
        note(f"Left at Synthflow, where they belong: {others}.")
    _warn_of_asks(sum(step.asks for step in steps if step.does == "make"))


def _show_done(done: Sequence[Step], what_to_do: str) -> None:
    for step in done:
        if step.does == "skip":
            note(f"{step.what} {step.name}: {step.notes[-1]}")
    made = Counter(step.what for step in done if step.does == "make")
    counted = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in made.items())
    out.print(Text(f"Made {counted or 'nothing'}."))
    if made["attachment"]:
        note(what_to_do)
    note("Connect Synthflow under Settings, Voice platforms: its calls find these agents by themselves.")


def _warn_of_asks(asks: int) -> None:
    from postcall.synthflow.editing import judge_reads_values

    if asks and not judge_reads_values():
        note(
            f"Of {asks} input{'' if asks == 1 else 's'} the value is read from the transcript, which the built-in "
            "judge does not: set POSTCALL_JUDGE_MODEL to a language model, or bind them otherwise."
        )


def _as_json(
    steps: Sequence[Step], account: Account, workspace: str, mode: Mode, done: Sequence[Step] | None
) -> dict[str, Any]:
    """`made` is null where nothing was to be changed."""
    return {
        "workspace": workspace,
        "mode": mode.value,
        "steps": [_told(step) for step in steps],
        "other_types": account.others,
        "made": None if done is None else sum(step.does == "make" for step in done),
        "failed": [_told(step) for step in done or () if step.does == "skip"],
    }


def _told(step: Step) -> dict[str, Any]:
    return {"what": step.what, "does": step.does, "name": step.name, "notes": step.notes}
