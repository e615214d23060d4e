"""How messages move on: each status when it is due, and the signed callback that tells of it.

Callbacks of one message go out in order, each after the one before it was answered; only the faults
`delay_callback` and `reorder_callbacks` break the order. Callbacks of different messages never wait for each
other.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from postcall.sandbox.creating import pool_number
from postcall.sandbox.errors import DELIVERY_ERRORS
from postcall.sandbox.faults import Faults
from postcall.sandbox.message import Message, status_after
from postcall.sandbox.store import Store
from postcall.sandbox.webhooks import Delivery, Webhooks
from postcall.sandbox.wire import API_VERSION, new_sid

_T = TypeVar("_T")
Mode = Literal["auto", "manual"]

# Seconds from the status before; `pace` multiplies them.
DELAYS = {
    "queued": 0.05,
    "sending": 0.05,
    "sent": 0.05,
    "delivered": 0.15,
    "undelivered": 0.15,
    "failed": 0.05,
}


class Progress:
    """Moves messages on by themselves (`auto`) or only by hand (`manual`). Lives in one event loop."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        webhooks: Webhooks,
        *,
        mode: Mode,
        pace: float,
        changed: Callable[[], None],
    ) -> None:
        self.mode, self.pace = mode, pace
        self._store, self._faults, self._webhooks = store, faults, webhooks
        self._changed = changed
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._latest: dict[str, asyncio.Task[Delivery | None]] = {}
        self._held: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def busy(self) -> bool:
        """Whether a status or a callback is still to come by itself."""
        return bool(self._timers or self._tasks)

    def begin(self, message: Message) -> Message:
        """Stores a new message and plans its first change of status."""
        message = replace(message, due_at=self._due(message))
        self._store.add(message)
        self._watch(message)
        self._changed()
        return message

    def resume(self) -> None:
        """Plans the changes that were due when the stand-in, or its going by itself, was last stopped."""
        if self.mode == "manual":
            return
        for message in self._store.due():
            self._watch(message)

    def turn(self, mode: Mode) -> None:
        """Changes the mode. In `manual` nothing moves until `auto` goes on with what was due."""
        if mode == self.mode:
            return
        self.mode = mode
        for sid in [*self._timers]:
            self._forget(sid)
        self.resume()

    def push(self, sid: str, status: str, error_code: int | None = None) -> asyncio.Task[Delivery | None] | None:
        """Moves a message to a status by hand, where it then stays. The task is that of its callback.

        KeyError when there is no such message.
        """
        self._forget(sid)
        return self._move(self._store.message(sid), status, error_code, then_stay=True)

    def reset(self) -> None:
        """Forgets what is planned and cancels callbacks on their way."""
        for sid in [*self._timers]:
            self._forget(sid)
        for task in self._tasks:
            task.cancel()
        self._latest.clear()
        self._held.clear()

    async def stop(self) -> None:
        tasks = [*self._tasks]
        self.reset()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _due(self, message: Message) -> float | None:
        """When the next status is due."""
        to_come = status_after(message)
        if self.mode == "manual" or to_come is None:
            return None
        if message.status == "scheduled":
            return message.due_at
        return message.updated_at + DELAYS[to_come[0]] * self.pace

    def _watch(self, message: Message) -> None:
        if message.due_at is None:
            return
        loop = asyncio.get_running_loop()
        self._timers[message.sid] = loop.call_later(max(0, message.due_at - time.time()), self._step, message.sid)

    def _forget(self, sid: str) -> None:
        if timer := self._timers.pop(sid, None):
            timer.cancel()

    def _step(self, sid: str) -> None:
        del self._timers[sid]
        message = self._store.message(sid)
        if to_come := status_after(message):
            self._move(message, *to_come)

    def _move(
        self, message: Message, status: str, error_code: int | None, *, then_stay: bool = False
    ) -> asyncio.Task[Delivery | None] | None:
        now = time.time()
        moved = replace(message, status=status, error_code=error_code, updated_at=now)
        if status in ("sent", "delivered", "undelivered") and message.sent_at is None:
            moved = replace(moved, sent_at=now)
        if moved.from_number is None and moved.messaging_service_sid and status != "canceled":
            moved = replace(moved, from_number=pool_number(moved.messaging_service_sid))
        moved = replace(moved, due_at=None if then_stay else self._due(moved))
        self._store.update(
            message.sid,
            status=status,
            error_code=error_code,
            updated_at=now,
            sent_at=moved.sent_at,
            from_number=moved.from_number,
            due_at=moved.due_at,
        )
        self._watch(moved)
        callback = self._announce(moved)
        self._changed()
        return callback

    def _announce(self, message: Message) -> asyncio.Task[Delivery | None] | None:
        """Sends the callback of the status just reached, or lets a fault have it."""
        if not message.status_callback:
            return None
        url, parameters = message.status_callback, callback_parameters(message)
        match self._faults.strike("callback", message.to):
            case "drop_callback":
                return None
            case "delay_callback":
                self._start(self._later(url, parameters))
                return None
            case "reorder_callbacks" if status_after(message):
                self._held[message.sid].append(parameters)
                return None
            case fault:
                times = 2 if fault == "double_callback" else 1
        before, held = self._latest.get(message.sid), self._held.pop(message.sid, [])
        task = self._start(self._in_order(url, [*[parameters] * times, *held], before))
        self._latest[message.sid] = task
        task.add_done_callback(lambda done: self._latest.get(message.sid) is done and self._latest.pop(message.sid))
        return task

    async def _in_order(
        self, url: str, forms: list[dict[str, str]], before: asyncio.Task[Delivery | None] | None
    ) -> Delivery | None:
        """Posts the forms one after another once `before` is done; returns what became of the first."""
        if before is not None:
            await asyncio.wait([before])
        token = new_sid("")
        deliveries = [await self._webhooks.post(url, form, token=token) for form in forms]
        return deliveries[0]

    async def _later(self, url: str, parameters: dict[str, str]) -> None:
        await asyncio.sleep(self._faults["delay_callback_s"])
        await self._webhooks.post(url, parameters)

    def _start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._changed()
        if not task.cancelled() and (error := task.exception()):
            task.get_loop().call_exception_handler({"message": "a callback broke", "exception": error})


def callback_parameters(message: Message) -> dict[str, str]:
    """The form fields of a status callback."""
    fields = {
        "AccountSid": message.account_sid,
        "ApiVersion": API_VERSION,
        "From": message.from_number or "",
        "MessageSid": message.sid,
        "MessageStatus": message.status,
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "To": message.to,
    }
    if message.messaging_service_sid:
        fields["MessagingServiceSid"] = message.messaging_service_sid
    if message.status in ("failed", "undelivered") and message.error_code is not None:
        fields["ErrorCode"] = str(message.error_code)
        fields["ErrorMessage"] = DELIVERY_ERRORS.get(message.error_code, "Unknown error")
    if message.status in ("delivered", "undelivered"):
        done = datetime.fromtimestamp(message.updated_at, UTC)
        fields["RawDlrDoneDate"] = f"{done:%y%m%d%H%M}"
    return fields
