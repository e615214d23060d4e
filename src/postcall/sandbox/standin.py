"""The stand-in itself: its parts put together, living in one event loop."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from postcall.sandbox.accounts import Account, Accounts
from postcall.sandbox.creating import accept
from postcall.sandbox.errors import Refusal
from postcall.sandbox.faults import Faults
from postcall.sandbox.inbound import Text, deliver_text
from postcall.sandbox.message import IN_PROGRESS, Message
from postcall.sandbox.progress import Mode, Progress
from postcall.sandbox.store import Store
from postcall.sandbox.webhooks import Delivery, Webhooks


class StandIn:
    """Everything the stand-in knows and does; HTTP is put on top of it by `postcall.sandbox.server`.

    `latency_ms` is added to every answer of Twilio's API. `requests` counts answers by (operation, HTTP
    status), where 0 is a connection that was cut or given up. `changed` is called after every change.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account] = (),
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        latency_ms: float = 0,
        progress: Mode = "auto",
        pace: float = 1,
        state: Path | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.latency_ms = latency_ms
        self.changed = changed
        self.faults = Faults(faults, seed=seed)
        self.store = Store(state)
        self.accounts = Accounts(accounts, self.store)
        self.webhooks = Webhooks(self.accounts.token_of)
        self.progress = Progress(self.store, self.faults, self.webhooks, mode=progress, pace=pace, changed=changed)
        self.requests: Counter[tuple[str, int]] = Counter()

    async def close(self) -> None:
        await self.progress.stop()
        await self.webhooks.close()
        self.store.close()

    def create(self, account_sid: str, form: Mapping[str, str]) -> Message:
        """Accepts a message; once this returns it is stored. Raises Refusal."""
        message = accept(account_sid, form, self.store, time.time())
        return self.progress.begin(message)

    def message(self, account_sid: str, sid: str) -> Message:
        """Raises Refusal 20404 when the account has no such message."""
        try:
            message = self.store.message(sid)
        except KeyError:
            raise Refusal(20404, sid) from None
        if message.account_sid != account_sid or message.deleted:
            raise Refusal(20404, sid)
        return message

    def change(self, account_sid: str, sid: str, form: Mapping[str, str]) -> Message:
        """Redacts (`Body=`) or cancels (`Status=canceled`) a message."""
        message = self.message(account_sid, sid)
        if form.get("Body") == "" and "Status" not in form:
            if message.status in IN_PROGRESS:
                raise Refusal(20009)
            return self.store.forget(sid, body="", updated_at=time.time())
        if form.get("Status") == "canceled" and "Body" not in form:
            if message.status != "scheduled":
                raise Refusal(30409, f"it is {message.status}")
            self.progress.push(sid, "canceled")
            return self.store.message(sid)
        raise Refusal(30400, "either an empty Body or Status=canceled")

    def delete(self, account_sid: str, sid: str) -> None:
        message = self.message(account_sid, sid)
        if message.status in IN_PROGRESS:
            raise Refusal(20009)
        person = {"from_number": None} if message.direction == "inbound" else {"to": ""}
        self.store.forget(sid, body="", deleted=True, **person)

    async def receive(self, text: Text) -> Delivery:
        """Somebody texts one of the account's numbers."""
        return await deliver_text(text, self.store, self.webhooks)

    def reset(self) -> None:
        """Forgets messages, opt-outs, webhooks and counts; faults are again those of the start."""
        self.progress.reset()
        self.store.reset()
        self.faults.reset()
        self.webhooks.deliveries.clear()
        self.requests.clear()
