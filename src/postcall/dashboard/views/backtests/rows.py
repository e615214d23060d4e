"""How a run and its calls stand, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from postcall.dashboard.words import State
from postcall.followups.models import Reason
from postcall.followups.reasons import in_words
from postcall.testbench.models import BenchItem, BenchRun

OUTCOMES: Final[dict[str, State]] = {
    BenchItem.Outcome.WOULD_SEND: State("good", "send", "would send"),
    BenchItem.Outcome.WOULD_NOT: State("idle", "idle", "would not send"),
    BenchItem.Outcome.UNCLEAR: State("wait", "unsure", "unclear"),
}
CHANGES: Final[dict[str, str]] = {
    "any": "Outcome changed",
    "newly": "Would get a text now",
    "no_longer": "Would get none any more",
}
_STATES: Final[dict[str, State]] = {
    BenchRun.State.QUEUED: State("idle", "wait", "waiting for a worker", settled=False),
    BenchRun.State.RUNNING: State("idle", "try", "running", settled=False),
    BenchRun.State.DONE: State("good", "good", "done"),
    BenchRun.State.CANCELED: State("idle", "idle", "canceled"),
    BenchRun.State.FAILED: State("bad", "bad", "failed"),
}
_SAID_BY_THE_VERDICT: Final = ("", Reason.CONDITION_NOT_MET, Reason.CONDITION_UNCLEAR)


def run_state(run: BenchRun) -> State:
    if run.is_at_work and run.problem:
        return State("wait", "wait", "waiting for the judge", settled=False)
    return _STATES[run.state]


@dataclass(frozen=True)
class Row:
    """A call of a run, as its list has it. `item.call` is at hand."""

    item: BenchItem
    always: bool = False

    @property
    def state(self) -> State:
        return OUTCOMES[self.item.outcome]

    @property
    def before(self) -> State | None:
        """How it stands by the present revision, where that is something else."""
        changed = self.item.before_outcome and self.item.before_outcome != self.item.outcome
        return OUTCOMES[self.item.before_outcome] if changed else None

    @property
    def is_forgotten(self) -> bool:
        return self.item.call is not None and self.item.call.forgotten_at is not None

    @property
    def why(self) -> str:
        item = self.item
        if self.is_forgotten:
            return "The words of this call are forgotten. It stays counted."
        if item.reason in _SAID_BY_THE_VERDICT:
            said = str(self.verdict.get("reason", ""))
            return said or ("It follows every connected call." if self.always else "")
        words = in_words(item.reason)
        detail = item.detail.removeprefix(str(self.verdict.get("reason", ""))).strip()
        # Where the particulars say it too, they say it alone.
        return detail if detail.startswith(words.removesuffix(".")) else f"{words} {detail}".strip()

    @property
    def verdict(self) -> Mapping[str, Any]:
        return self.item.verdict or {}

    @property
    def quotes(self) -> list[dict[str, Any]]:
        return list(self.verdict.get("evidence") or [])

    @property
    def text(self) -> str:
        """What would go out, also once somebody has approved it; empty: nothing would."""
        return "" if self.item.outcome == BenchItem.Outcome.WOULD_NOT else self.item.body

    @property
    def is_priced(self) -> bool:
        return self.item.outcome == BenchItem.Outcome.WOULD_SEND and self.item.price is not None

    @property
    def quote(self) -> str:
        return str(self.quotes[0]["quote"]) if self.quotes else ""

    @property
    def before_verdict(self) -> Mapping[str, Any]:
        return self.item.before_verdict or {}

    @property
    def before_quotes(self) -> list[dict[str, Any]]:
        return list(self.before_verdict.get("evidence") or [])

    @property
    def before_why(self) -> str:
        if self.item.before_reason in _SAID_BY_THE_VERDICT:
            return str(self.before_verdict.get("reason", ""))
        return in_words(self.item.before_reason)

    @property
    def may_be_case(self) -> bool:
        """Whether there is something to say about what was judged in it."""
        return bool(self.item.result) and not self.is_forgotten
