"""What of a workspace needs a person now: one list for the Overview, for alerts and for whoever counts.

Each question is answered from an index and bounded in time or number: the list is read again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Q, Value
from django.db.models.functions import Coalesce

from postcall.actions.editing import unbound
from postcall.actions.models import Attachment
from postcall.alerts.matters import ORDER, Kind, Matter, Target, Tone, counted, lasting, spelled
from postcall.alerts.silence import is_silent
from postcall.calls.models import Call
from postcall.followups.models import FollowUp, Reason
from postcall.followups.review import UNDECIDED
from postcall.ids import first_id
from postcall.keeping.models import Restoration
from postcall.messages.errors import explain
from postcall.messages.models import Message, RefusedSender, SendingAccount
from postcall.messages.pausing import Pause, pauses
from postcall.sources.models import RefusedDelivery, Source
from postcall.webhooks.models import WebhookEndpoint
from postcall.work.leases import seconds_overdue
from postcall.work.seen import seen_lately
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
# A condition that was judged so often in NEVER_IN and never met is one that never fires.
JUDGED_AT_LEAST: Final = 50
NEVER_IN: Final = timedelta(days=14)
# Failed texts with one error, from which on it is more than bad luck with single numbers.
SAME_ERROR: Final = 3
MOST: Final = 100
MOST_ERRORS: Final = 5
LATE_S: Final = 300.0
# A receiver that is being restarted is back by then.
FAILING_FOR: Final = timedelta(minutes=10)
# Twilio takes some minutes to be asked about what it did not answer; longer is worth a look.
UNCONFIRMED_FOR: Final = timedelta(minutes=20)

_CREDENTIALS: Final = frozenset({401, 20003})
_NOT_REGISTERED: Final = frozenset({30032, 30034})
_FAILED: Final = (Message.Status.FAILED.value, Message.Status.UNDELIVERED.value)


def matters(workspace: Workspace, now: datetime, *, held_over: int = 0) -> list[Matter]:
    """The gravest first. Held follow-ups are weighty from more than `held_over` on."""
    paused = pauses(workspace.pk)
    found = [
        *_sending(workspace, paused),
        *_work(),
        *_sources(workspace, now),
        *_judge(workspace, now),
        *_webhooks(workspace, now),
        *_failures(workspace, now, {pause.sender for pause in paused}),
        *_held(workspace, now, held_over),
        *_unconfirmed(workspace, now),
        *_unassigned(workspace, now),
        *_attachments(workspace, now),
    ]
    return sorted(found, key=lambda each: (_TONES[each.tone], ORDER[each.kind], each.key))


_TONES: Final[dict[Tone, int]] = {"bad": 0, "wait": 1, "idle": 2}


# How texts leave.


def _sending(workspace: Workspace, paused: list[Pause]) -> Iterator[Matter]:
    if not within(workspace, SendingAccount).exists():
        yield Matter(
            Kind.ACCOUNT,
            "account",
            "bad",
            "Nothing is sent: this workspace has no Twilio account",
            "Choose its own account, the deployment’s shared one, or the sandbox.",
            Target("twilio"),
        )
    if Restoration.objects.filter(resumed_at=None).exists():
        yield Matter(
            Kind.ACCOUNT,
            "restored",
            "bad",
            "Nothing is sent: this database was restored from a backup",
            "Once no other copy of it sends, let it go on: postcall restore --resume.",
            Target(""),
        )
    for pause in paused:
        yield _paused(pause)
    if not any(pause.sender == "" for pause in paused):
        yield from _refused_credentials(workspace)


def _paused(pause: Pause) -> Matter:
    if pause.code in _CREDENTIALS and not pause.sender:
        return _credentials(pause.code, "Sending is paused and its texts are held.")
    name = f"Sending from {spelled(pause.sender)} is paused" if pause.sender else "Sending is paused"
    return Matter(
        Kind.PAUSED,
        f"paused:{pause.sender}",
        "bad",
        f"{name}: {_inline(pause.error.message)}",
        f"{pause.error.fix} Its texts are held; check it again once it is mended.",
        Target("recheck"),
    )


def _refused_credentials(workspace: Workspace) -> Iterator[Matter]:
    refused = within(workspace, RefusedSender).filter(
        account=F("workspace__sending_account__account"), sender="", code__in=_CREDENTIALS
    )
    for code in refused.values_list("code", flat=True)[:1]:
        yield _credentials(code, "Texts wait and are tried again.")


def _credentials(code: int, so: str) -> Matter:
    return Matter(
        Kind.CREDENTIALS,
        "credentials",
        "bad",
        "Twilio refuses the account’s credentials",
        f"{so} {explain(code).fix}",
        Target("recheck"),
    )


# The machinery.


def _work() -> Iterator[Matter]:
    if not seen_lately():
        yield Matter(
            Kind.WORK,
            "worker",
            "bad",
            "No worker runs: calls are stored, and nothing is decided or sent",
            "Start one on any machine: postcall worker (postcall up starts one by itself).",
            Target(""),
        )
        return
    late = max(seconds_overdue(Call), seconds_overdue(Message))
    if late > LATE_S:
        yield Matter(
            Kind.WORK,
            "late",
            "bad",
            f"Work is late: the oldest has waited for {lasting(timedelta(seconds=late))}",
            "The workers do not keep up, or are stuck. Look at their log, or start another one.",
            Target(""),
        )


# How calls come in.


def _sources(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    for source in within(workspace, Source).filter(deleted_at=None).order_by("pk"):
        if source.last_rejected_at and now - source.last_rejected_at < DAY:
            yield _refused(source, now)
        if is_silent(source, now):
            assert source.last_received_at is not None
            yield Matter(
                Kind.SILENT,
                f"silent:{source.pk}",
                "bad",
                f"{source.name} has been silent for {lasting(now - source.last_received_at)}",
                "It brought calls in the same hours of the weeks before. See whether the platform still has the "
                "address, or disconnect it if it is used no longer.",
                Target("platforms"),
            )


def _refused(source: Source, now: datetime) -> Matter:
    rows = RefusedDelivery.objects.filter(source=source, workspace_id=source.workspace_id, last_at__gt=now - DAY)
    times = sum(rows.order_by("-pk").values_list("count", flat=True)[:MOST])
    good = source.last_received_at
    lately = good is None or (source.last_rejected_at is not None and source.last_rejected_at > good)
    return Matter(
        Kind.REFUSED,
        f"refused:{source.pk}",
        "bad" if lately else "wait",
        f"{source.name}: {counted(max(times, 1), 'webhook')} refused in the last 24 h",
        f"The last one because {_inline(source.last_rejected_reason) or 'it could not be read'}. "
        "Calls that were in them are missing here.",
        Target("platforms"),
        weighty=lately,
    )


def _unassigned(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    lost = within(workspace, Call).filter(pk__gte=first_id(now - WEEK), status=Call.Status.UNASSIGNED)
    calls = len(lost.values_list("pk")[:MOST])
    if calls:
        yield Matter(
            Kind.UNKNOWN_AGENT,
            "unknown_agent",
            "wait",
            f"{counted(calls, 'call', MOST)} of an unknown agent in the last 7 days",
            "Nothing follows such calls. Add the agent, or give one of yours the id that the voice platform names; "
            "those of the last day can then still be followed up.",
            Target("unknown_agents"),
        )


# What is decided.


def _judge(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    failed = within(workspace, FollowUp).filter(pk__gte=first_id(now - DAY), reason=Reason.JUDGE_FAILED)
    waiting = within(workspace, Call).filter(due_at__isnull=False, judge_failures__gt=0)
    calls = len(
        set(failed.values_list("call_id", flat=True)[:MOST]) | set(waiting.values_list("pk", flat=True)[:MOST])
    )
    if calls:
        yield Matter(
            Kind.JUDGE,
            "judge",
            "bad",
            f"The judge failed on {counted(calls, 'call', MOST)} in the last 24 h",
            "Look whether the model answers and its key is valid, then have the calls judged again.",
            Target("judge"),
        )


def _held(workspace: Workspace, now: datetime, held_over: int) -> Iterator[Matter]:
    within_s = ExpressionWrapper(
        F("revision__send_within_s") * Value(timedelta(seconds=1), DurationField()), DurationField()
    )
    found = (
        within(workspace, FollowUp)
        .filter(outcome=FollowUp.Outcome.HELD)
        .aggregate(
            count=Count("pk"),
            oldest=Min("created_at"),
            soonest=Min(
                Coalesce("message__valid_until", F("decided_at") + within_s), filter=~Q(reason__in=UNDECIDED)
            ),
        )
    )
    if not found["count"]:
        return
    lapses = found["soonest"]
    soon = f" The next one lapses in {lasting(lapses - now)}." if lapses and now < lapses < now + DAY else ""
    yield Matter(
        Kind.HELD,
        "held",
        "wait",
        f"{counted(found['count'], 'follow-up')} {'waits' if found['count'] == 1 else 'wait'} for you",
        f"The oldest came {lasting(now - found['oldest'])} ago.{soon} Each says what it waits for.",
        Target("review"),
        weighty=found["count"] > held_over,
    )


# Who is told.


def _webhooks(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    by_itself = Q(disabled_at__isnull=False) & ~Q(disabled_reason=WebhookEndpoint.Disabled.OWNER)
    failing = Q(disabled_at=None, failing_since__lt=now - FAILING_FOR, failures__gt=1)
    for endpoint in within(workspace, WebhookEndpoint).filter(by_itself | failing).order_by("pk"):
        since = endpoint.failing_since or endpoint.disabled_at or now
        off = endpoint.disabled_at is not None
        how = "is switched off" if off else f"has failed for {lasting(now - since)}"
        yield Matter(
            Kind.WEBHOOK,
            f"webhook:{endpoint.pk}",
            "bad",
            f"The webhook to {endpoint.shown} {how}",
            f"{endpoint.get_disabled_reason_display()} Enable it again, or delete it."
            if off
            else "Events wait and are tried again for a day. Its log says what was answered.",
            Target("webhooks", id=endpoint.pk),
        )


# What went out.


@dataclass
class _Failed:
    code: int | None
    senders: Counter[str]

    @property
    def texts(self) -> int:
        return sum(self.senders.values())


def _failures(workspace: Workspace, now: datetime, paused: set[str]) -> Iterator[Matter]:
    failed = _failed(workspace, now)
    for each in failed:
        if each.code in _NOT_REGISTERED:
            yield from (
                _unregistered(each.code, sender, texts)
                for sender, texts in each.senders.most_common(MOST_ERRORS)
                if sender not in paused and "" not in paused
            )
    others = [each for each in failed if each.code not in _NOT_REGISTERED]
    yield from map(_same_error, others[:MOST_ERRORS])


def _failed(workspace: Workspace, now: datetime) -> list[_Failed]:
    texts = within(workspace, Message).filter(
        pk__gte=first_id(now - DAY), created_at__gte=now - DAY, status__in=_FAILED
    )
    by_code: dict[int | None, _Failed] = {}
    rows: Any = texts.values_list("error_code", "messaging_service_sid", "from_number").annotate(texts=Count("pk"))
    for code, service, number, count in rows:
        by_code.setdefault(code, _Failed(code, Counter())).senders[service or number] += count
    return sorted(by_code.values(), key=lambda each: (-each.texts, each.code or 0))


def _unregistered(code: int | None, sender: str, texts: int) -> Matter:
    error = explain(code)
    return Matter(
        Kind.UNREGISTERED,
        f"unregistered:{sender}",
        "bad",
        f"{spelled(sender)} is not registered: {counted(texts, 'text')} failed with error {code}",
        f"{error.message} {error.fix}",
        Target("messages", _failed_with(code)),
    )


def _same_error(failed: _Failed) -> Matter:
    error = explain(failed.code)
    named = f"with error {failed.code}" if failed.code else "without a reason"
    ours = error.kind in ("config", "country", "filtered")
    return Matter(
        Kind.FAILED,
        f"failed:{failed.code or ''}",
        "bad" if ours or failed.texts >= SAME_ERROR else "wait",
        f"{counted(failed.texts, 'text')} failed {named} in the last 24 h",
        f"{error.message} {error.fix}",
        Target("messages", _failed_with(failed.code)),
        weighty=ours or failed.texts >= SAME_ERROR,
    )


def _failed_with(code: int | None) -> dict[str, tuple[str, ...]]:
    return {"status": _FAILED} | ({"error": (str(code),)} if code else {})


def _unconfirmed(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    unsure = within(workspace, Message).filter(status=Message.Status.UNCONFIRMED)
    found = unsure.aggregate(count=Count("pk"), oldest=Min("created_at"))
    if found["count"]:
        yield Matter(
            Kind.UNCONFIRMED,
            "unconfirmed",
            "wait",
            f"{counted(found['count'], 'text')} unconfirmed, the oldest for {lasting(now - found['oldest'])}",
            "Twilio did not say whether it took them. Postcall looks them up; nothing is sent twice.",
            Target("messages", {"status": (Message.Status.UNCONFIRMED.value,)}),
            weighty=now - found["oldest"] > UNCONFIRMED_FOR,
        )


# What is set up.


def _attachments(workspace: Workspace, now: datetime) -> Iterator[Matter]:
    attached = list(
        within(workspace, Attachment)
        .filter(deleted_at=None, agent__deleted_at=None, action__deleted_at=None)
        .select_related("action__revision", "agent")
        .order_by("pk")
    )
    for each in attached:
        assert each.action.revision is not None
        if each.mode == Attachment.Mode.OFF and (names := unbound(each, each.action.revision.inputs)):
            yield _unbound(each, names)
    on = {each.action_id: each for each in attached if each.mode != Attachment.Mode.OFF}
    for action_id, judged in _never_met(workspace, [*on], now):
        action = on[action_id].action
        yield Matter(
            Kind.NEVER_FIRES,
            f"never_fires:{action.pk}",
            "idle",
            f"“{action.name}” never fires",
            f"Judged {judged:,} times in 14 days, never met. Its condition may be too narrow.",
            Target("action", id=action.pk),
        )


def _unbound(attachment: Attachment, names: list[str]) -> Matter:
    told = ", ".join(f"<{name}>" for name in names[:3]) + (" and others" if len(names) > 3 else "")
    return Matter(
        Kind.UNBOUND,
        f"unbound:{attachment.pk}",
        "idle",
        f"“{attachment.action.name}” is off for {attachment.agent.name}",
        f"Nothing says where {told} {'comes' if len(names) == 1 else 'come'} from. Bind it, then switch it on.",
        Target("agent", id=attachment.agent_id),
        weighty=False,
    )


def _never_met(workspace: Workspace, actions: list[Any], now: datetime) -> Iterator[tuple[Any, int]]:
    judged = within(workspace, FollowUp).filter(
        pk__gte=first_id(now - NEVER_IN), action_id__in=actions, revision=F("action__revision")
    )
    counts: Any = (
        judged.exclude(result="")
        .values_list("action_id")
        .annotate(judged=Count("pk"), met=Count("pk", filter=Q(result="met")))
        .filter(judged__gte=JUDGED_AT_LEAST, met=0)
        .values_list("action_id", "judged")
    )
    yield from counts


def _inline(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence.rstrip(".!")
