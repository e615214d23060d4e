"""The two ways to run the stand-in: inside another program (`Sandbox`), or as one of its own (`run`)."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from postcall.sandbox.accounts import Account
from postcall.sandbox.inbound import Text
from postcall.sandbox.message import Message
from postcall.sandbox.progress import Mode
from postcall.sandbox.server import listening
from postcall.sandbox.standin import StandIn
from postcall.sandbox.webhooks import Delivery

_T = TypeVar("_T")

PATIENCE_S = 30.0


def run(
    host: str = "127.0.0.1",
    port: int = 9100,
    state: Path | None = None,
    seed: int = 0,
    faults: Mapping[str, float] | None = None,
    latency_ms: float = 0,
    *,
    accounts: Sequence[Account] = (),
    pace: float = 1,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serves until SIGINT or SIGTERM, then returns. `ready` is called with the address once it listens.

    Raises ValueError for a bad fault and OSError when the port cannot be had.
    """

    async def serve() -> None:
        stand_in = StandIn(
            accounts=accounts, faults=faults, seed=seed, latency_ms=latency_ms, pace=pace, state=state
        )
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with listening(stand_in, host, port) as bound:
            ready(_url(host, bound))
            await stop.wait()

    asyncio.run(serve())


class Sandbox:
    """The stand-in on a free port of this machine, in a thread of its own; callable from any thread.

        with Sandbox(progress="manual").running() as sandbox:
            client.api.base_url = sandbox.url

    The arguments are those of StandIn, only that statuses come ten times as fast. With `state`, a
    second Sandbox on the same file goes on where the first was stopped.
    """

    def __init__(
        self,
        *,
        accounts: Sequence[Account] = (),
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        latency_ms: float = 0,
        progress: Mode = "auto",
        pace: float = 0.1,
        state: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._make: Callable[[], StandIn] = lambda: StandIn(
            accounts=accounts,
            faults=faults,
            seed=seed,
            latency_ms=latency_ms,
            progress=progress,
            pace=pace,
            state=state,
            changed=self._note_change,
        )
        self._host, self._port = host, port
        self._changes = 0
        self._change = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stand_in: StandIn | None = None
        self._stop: asyncio.Event | None = None
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[Sandbox]:
        """Runs it for as long as the block."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Returns once it listens; raises what kept it from listening."""
        started: threading.Event = threading.Event()
        failed: list[BaseException] = []

        def live() -> None:
            try:
                asyncio.run(self._serve(started))
            except BaseException as error:
                failed.append(error)
            finally:
                started.set()

        self._thread = threading.Thread(target=live, name="sandbox", daemon=True)
        self._thread.start()
        started.wait()
        if failed:
            raise failed[0]

    def stop(self) -> None:
        if self._loop is None or self._stop is None:
            return
        with suppress(RuntimeError):  # the loop is already closed
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop = self._stand_in = None

    @property
    def messages(self) -> list[Message]:
        """Everything accepted or received, oldest first, also what was deleted since."""
        return self._ask(lambda stand_in: stand_in.store.messages())

    @property
    def creates(self) -> Counter[tuple[str, str]]:
        """How many messages were accepted by (recipient, body): 2 is a text sent twice."""
        return self._ask(lambda stand_in: stand_in.store.creates())

    @property
    def callbacks(self) -> list[Delivery]:
        """The webhooks that went out, oldest first."""
        return self._ask(lambda stand_in: list(stand_in.webhooks.deliveries))

    @property
    def requests(self) -> Counter[tuple[str, int]]:
        """Answers by (operation, HTTP status); 0 is a connection cut or given up."""
        return self._ask(lambda stand_in: Counter(stand_in.requests))

    @property
    def fired(self) -> Counter[str]:
        """How often each fault struck."""
        return self._ask(lambda stand_in: Counter(stand_in.faults.fired))

    @property
    def busy(self) -> bool:
        """Whether a status or a callback is still to come by itself."""
        return self._ask(lambda stand_in: stand_in.progress.busy)

    @property
    def faults(self) -> dict[str, float]:
        """The rates and knobs in force. Assigning replaces them all."""
        return self._ask(lambda stand_in: stand_in.faults.values)

    @faults.setter
    def faults(self, values: Mapping[str, float]) -> None:
        self._ask(lambda stand_in: stand_in.faults.replace(values))

    def fail_next(self, fault: str, count: int = 1, *, to: str | None = None) -> None:
        """Makes the next `count` occasions (for the recipient `to`, where given) meet the fault."""
        self._ask(lambda stand_in: stand_in.faults.arm(fault, count=count, to=to))

    def message(self, sid: str) -> Message:
        """KeyError when there is none."""
        return self._ask(lambda stand_in: stand_in.store.message(sid))

    def push(self, sid: str, status: str, error_code: int | None = None) -> Delivery | None:
        """Moves a message to a status; returns its callback once answered, None when none went out."""

        async def pushed(stand_in: StandIn) -> Delivery | None:
            callback = stand_in.progress.push(sid, status, error_code)
            return await callback if callback else None

        return self._await(pushed)

    def inbound(
        self,
        *,
        account_sid: str,
        from_number: str,
        to: str,
        body: str,
        url: str,
        advanced_opt_out: bool = False,
        messaging_service_sid: str | None = None,
    ) -> Delivery:
        """Somebody texts one of the account's numbers; returns the webhook once it was answered."""
        text = Text(
            account_sid=account_sid,
            from_number=from_number,
            to=to,
            body=body,
            url=url,
            advanced_opt_out=advanced_opt_out,
            messaging_service_sid=messaging_service_sid,
        )
        return self._await(lambda stand_in: stand_in.receive(text))

    def reset(self) -> None:
        """Forgets messages, opt-outs, webhooks and counts; faults are again those of the start."""
        self._ask(lambda stand_in: stand_in.reset())

    def wait_until(self, holds: Callable[[Sandbox], bool], *, timeout_s: float = PATIENCE_S) -> None:
        """Waits until `holds`, looking again after each change. TimeoutError when it stays false."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._changes
            if holds(self):
                return
            if not self._changed_since(seen, deadline - time.monotonic()):
                raise TimeoutError(f"not so after {timeout_s:g} s")

    def wait_until_idle(self, *, timeout_s: float = PATIENCE_S) -> None:
        """Waits until no status and no callback is to come by itself."""
        self.wait_until(lambda sandbox: not sandbox.busy, timeout_s=timeout_s)

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        stand_in = self._make()
        async with listening(stand_in, self._host, self._port) as bound:
            self._loop, self._stand_in = asyncio.get_running_loop(), stand_in
            self.url = _url(self._host, bound)
            started.set()
            await self._stop.wait()

    def _note_change(self) -> None:
        with self._change:
            self._changes += 1
            self._change.notify_all()

    def _changed_since(self, seen: int, timeout_s: float) -> bool:
        with self._change:
            return self._change.wait_for(lambda: self._changes != seen, timeout_s)

    def _ask(self, question: Callable[[StandIn], _T]) -> _T:
        async def asked(stand_in: StandIn) -> _T:
            return question(stand_in)

        return self._await(asked)

    def _await(self, work: Callable[[StandIn], Coroutine[Any, Any, _T]]) -> _T:
        if self._loop is None or self._stand_in is None:
            raise RuntimeError("the sandbox is not running")
        return asyncio.run_coroutine_threadsafe(work(self._stand_in), self._loop).result(PATIENCE_S)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
