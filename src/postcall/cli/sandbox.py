"""`postcall sandbox`: the Twilio stand-in on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcall.cli.output import fail, note
from postcall.cli.processes import end_with_parent


def sandbox(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one, which it prints.")] = 9100,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME=RATE", help="A fault and how often, 0 to 1. May be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same faults.")] = 0,
    latency_ms: Annotated[float, typer.Option(min=0, help="How long every request takes.")] = 0.0,
    state: Annotated[Path | None, typer.Option(help="Keep the messages in this file across restarts.")] = None,
) -> None:
    """Run a stand-in for Twilio's messaging API: texts are accepted, “delivered” and shown, and go nowhere."""
    from postcall.sandbox.faults import parse_faults
    from postcall.sandbox.running import run

    a_part = end_with_parent()
    try:
        faults = parse_faults(fault or [])
    except ValueError as error:
        raise typer.BadParameter(f"--fault: {error}") from None
    try:
        run(
            host=host,
            port=port,
            state=state,
            seed=seed,
            faults=faults,
            latency_ms=latency_ms,
            ready=lambda url: None if a_part else note(f"The Twilio stand-in listens at {url}; Ctrl-C stops it."),
        )
    except OSError as error:
        raise fail(f"--port: cannot listen on {host} port {port}: {error.strerror or error}") from None
