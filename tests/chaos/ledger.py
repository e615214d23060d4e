"""The verdict: of every acknowledged call, every text exactly once at the stand-in, or a reason why not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .clinic import Call, Text
from .deployment import Deployment
from .waiting import PATIENCE_S

# What a text's message can say in the end. `sent` stays for the carriers that give no receipt.
ENDED = ("delivered", "sent")
# How long it takes, as the service counts, to find out three times that a text was not sent.
_FINDING_OUT_S = 3_000.0

_STATE = """
    SELECT c.external_id, c.status, f.outcome, f.reason, f.detail, m.status, m.body,
           EXISTS (SELECT FROM attempt a WHERE a.message_id = m.id AND a.open
                   AND a.status IN ('sending', 'unconfirmed'))
    FROM call c LEFT JOIN follow_up f ON f.call_id = c.id LEFT JOIN message m ON m.follow_up_id = f.id
    WHERE c.external_id LIKE %s
"""


@dataclass
class Verdict:
    """`lost`: texts that never were at the stand-in and have no reason that a person could read. `held`: left to
    a person, with a reason. `doubled`: at the stand-in more than once. `foreign`: never asked for."""

    calls: int
    messages: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.foreign)

    def __str__(self) -> str:
        lines = [f"{self.calls} calls, {self.messages} texts, {self.seconds:.1f} s"]
        for name in ("lost", "doubled", "held", "foreign"):
            lines += [f"{name}: {line}" for line in getattr(self, name)[:8]]
        return "\n".join(lines)


def weigh(calls: Sequence[Call], sent: Mapping[Text, int], reasons: Mapping[str, str]) -> Verdict:
    """`sent`: how often each text was at the stand-in; `reasons`: why one was not, by the text or its call's id."""
    expected = {text: call.external_id for call in calls for text in call.texts}
    verdict = Verdict(len(calls), len(expected))
    for text, external_id in expected.items():
        count = sent.get(text, 0)
        if count > 1:
            verdict.doubled.append(f"{text.to}: {count} times {text.body!r}")
        if count == 0:
            reason = reasons.get(text.body) or reasons.get(external_id)
            (verdict.held if reason else verdict.lost).append(f"{text.to}: {text.body!r} {reason or ''}")
    verdict.foreign = [f"{text.to}: {text.body!r}" for text in sent if text not in expected]
    return verdict


class Ledger:
    """What became of the calls whose external ids begin with `tag-`."""

    def __init__(self, deployment: Deployment, tag: str, calls: Sequence[Call]) -> None:
        self._deployment = deployment
        self._like = f"{tag}-%"
        self._tag = tag
        self._calls = calls

    def settled(self, since: float) -> Verdict:
        """Waits until nothing of it is under way any more, and looks. `since`: when the fault was over."""
        deadline = time.monotonic() + PATIENCE_S + self._deployment.paced(_FINDING_OUT_S)
        unfinished = self._unfinished()
        while unfinished and time.monotonic() < deadline:
            time.sleep(0.1)
            unfinished = self._unfinished()
        verdict = self.look()
        verdict.seconds = max(0.0, time.monotonic() - since)
        verdict.lost += [f"never settled: {line}" for line in unfinished if line not in verdict.lost]
        return verdict

    def look(self) -> Verdict:
        sent = {Text(*key): count for key, count in self._deployment.sandbox.creates.items() if self._tag in key[1]}
        return weigh(self._calls, sent, self._reasons())

    def _unfinished(self) -> list[str]:
        found: dict[str, int] = {}
        lines = []
        for external_id, status, outcome, reason, _, message, _, unclear in self._rows():
            found[external_id] = found.get(external_id, 0) + (outcome is not None)
            ended = message in ENDED if outcome == "message" and not reason else bool(reason)
            if status != "done" or outcome in (None, "pending") or unclear or not ended:
                lines.append(f"{external_id}: {status}, {outcome} {reason}, {message}")
        for call in self._calls:
            if found.get(call.external_id, 0) != len(call.texts):
                lines.append(f"{call.external_id}: {found.get(call.external_id)} of {len(call.texts)} follow-ups")
        return lines

    def _reasons(self) -> dict[str, str]:
        """Why a text has not gone out, where its follow-up says so: by the text, which is nobody else's; by the
        call's id where nothing was ever written down of the text."""
        found = self._deployment.server.rows(
            """SELECT coalesce(nullif(coalesce(m.body, f.body), ''), c.external_id), f.reason, f.detail
               FROM call c JOIN follow_up f ON f.call_id = c.id LEFT JOIN message m ON m.follow_up_id = f.id
               WHERE c.external_id LIKE %s AND f.reason <> ''""",
            self._like,
        )
        return {about: f"{reason}: {detail}" for about, reason, detail in found}

    def _rows(self) -> list[tuple[str, str, str, str, str, str, str, bool]]:
        return self._deployment.server.rows(_STATE, self._like)
