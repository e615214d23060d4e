"""Every command, each a thin door."""

from __future__ import annotations

import typer

from postcall.cli import (
    audit,
    backtesting,
    benching,
    calls,
    checks,
    importing,
    judging,
    keeping,
    parts,
    people,
    rekey,
    sandbox,
    up,
)

app = typer.Typer(
    name="postcall",
    help="The right text message after a phone call with an AI voice agent.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("postcall"))
        raise typer.Exit


@app.callback()
def _options(
    _version_asked: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version and stop."
    ),
) -> None:
    pass


app.command("up")(up.up)
app.command("web")(parts.web)
app.command("worker")(parts.worker)
app.command("migrate")(parts.migrate)
app.command("check")(checks.check)
app.command("judge")(judging.judge)
app.command("backtest")(backtesting.backtest)
app.command("cases")(backtesting.cases)
app.command("ingest")(calls.ingest)
app.command("sample")(calls.sample)
app.command("sandbox")(sandbox.sandbox)
app.command("audit")(audit.audit)
app.command("rekey")(rekey.rekey)
app.command("backup")(keeping.backup)
app.command("restore")(keeping.restore)
app.command("export")(keeping.export)
app.command("erase")(keeping.erase)
app.add_typer(benching.bench, name="bench")
app.add_typer(importing.imports, name="import")
app.add_typer(people.workspace, name="workspace")
app.add_typer(people.user, name="user")
app.add_typer(people.key, name="key")
