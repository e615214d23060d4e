"""What a workspace sends by and under which rules: the shapes, their checks, and how they are changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, Literal, Self

import phonenumbers
from django.db.models import Count
from pydantic import AfterValidator, BaseModel, Field, StrictInt, model_validator

from postcall.agents.editing import Conflict, FromNumber, Invalid, MessagingServiceSid
from postcall.followups.models import Reason
from postcall.messages import accounts
from postcall.messages.claim import look_again
from postcall.messages.findings import Finding, account_finding, sender_finding
from postcall.messages.models import Attempt, Message
from postcall.messages.twilio_client import forget_client
from postcall.messages.waiting import WAITING
from postcall.shapes import Strict
from postcall.workspaces.models import Workspace

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["09:00"])]


class Window(Strict):
    """The hours at which texts may leave, in the recipient's time zone; over midnight when `end` is earlier."""

    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same; for no window at all send null in its place")
        return self


def _known_country(code: str) -> str:
    if code.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{code} is no country; ISO 3166 codes such as US are needed")
    return code.upper()


Country = Annotated[str, Field(min_length=2, max_length=2, examples=["US"]), AfterValidator(_known_country)]


class SendingContent(Strict):
    """What is left out stays as it is."""

    window: Window | None = Field(default=None, description="Null: at any hour.")
    valid_for_s: StrictInt = Field(
        default=3600, ge=60, le=604_800, description="Seconds from the first moment at which sending was allowed."
    )
    max_per_number_per_day: StrictInt | None = Field(default=None, ge=1, le=1_000, description="Null: any number.")
    max_messages_per_day: StrictInt | None = Field(
        default=None, ge=1, le=10_000_000, description="Null: any number."
    )
    countries: list[Country] | None = Field(
        default=None, min_length=1, max_length=300, description="ISO 3166 codes that may be texted; null: all."
    )
    unconfirmed: Literal["resend_when_absent", "hold"] = Field(
        default="resend_when_absent",
        description="A text of which Twilio's list proves that it was never taken: send it again, or hold it.",
    )


class SendingRules(BaseModel):
    """The rules under which texts leave."""

    window: Window | None
    valid_for_s: int
    max_per_number_per_day: int | None
    max_messages_per_day: int | None
    countries: list[str] | None
    unconfirmed: Literal["resend_when_absent", "hold"]


class TwilioContent(Strict):
    """What the workspace sends by. Secrets that are left out stay, while the SID that they belong to does."""

    use: Literal["own", "shared", "sandbox"]
    account_sid: Annotated[str, Field(pattern="^AC[0-9a-fA-F]{32}$")] | None = None
    auth_token: Annotated[str, Field(min_length=1, max_length=128, pattern="^[!-~]+$")] | None = Field(
        default=None, description="Needed even with an API key: Twilio signs its callbacks with it."
    )
    api_key_sid: Annotated[str, Field(pattern="^SK[0-9a-fA-F]{32}$")] | None = None
    api_key_secret: Annotated[str, Field(min_length=1, max_length=128, pattern="^[!-~]+$")] | None = None
    from_number: FromNumber | None = Field(default=None, examples=["+14155550100"])
    messaging_service_sid: MessagingServiceSid | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        own = self.model_fields_set - {"use"}
        if self.use != "own":
            if any(getattr(self, name) is not None for name in own):
                raise ValueError(f"`{self.use}` takes nothing else: the account's fields belong to `own`")
            return self
        if self.account_sid is None:
            raise ValueError("`own` needs an account_sid")
        if bool(self.from_number) == bool(self.messaging_service_sid):
            raise ValueError("`own` needs a from_number or a messaging_service_sid, one of the two")
        if self.api_key_secret and not self.api_key_sid:
            raise ValueError("api_key_secret needs its api_key_sid")
        return self


def sending_rules(workspace: Workspace) -> SendingRules:
    """The rules as they stand."""
    start, end = workspace.window_start, workspace.window_end
    return SendingRules(
        window=Window(start=f"{start:%H:%M}", end=f"{end:%H:%M}") if start and end else None,
        valid_for_s=workspace.valid_for_s,
        max_per_number_per_day=workspace.max_per_number_per_day,
        max_messages_per_day=workspace.max_messages_per_day,
        countries=workspace.countries,
        unconfirmed=workspace.unconfirmed,
    )


def set_sending_rules(workspace: Workspace, content: SendingContent) -> None:
    """What is left out stays as it is; texts that are waiting are looked at under the new rules. The caller has the
    workspace locked."""
    given = content.model_fields_set
    changes: dict[str, Any] = {name: getattr(content, name) for name in given - {"window"}}
    if "window" in given:
        window = content.window
        changes["window_start"] = time.fromisoformat(window.start) if window else None
        changes["window_end"] = time.fromisoformat(window.end) if window else None
    for name, value in changes.items():
        setattr(workspace, name, value)
    workspace.save(update_fields=list(changes))
    look_again(workspace.pk)


def choose_account(workspace: Workspace, content: TwilioContent) -> None:
    """Has the workspace send by the account that `content` names; texts that left by another one are tracked by
    that one to their end, and a pause is lifted. The caller has the workspace locked.

    Raises Conflict for an account that this workspace may not have, Invalid where a secret is needed.
    """
    with _as_edit():
        _check_sample(workspace, content)
        if content.use == "sandbox":
            accounts.use_sandbox(workspace)
        elif content.use == "shared":
            accounts.use_shared(workspace)
        else:
            accounts.use_own(workspace, **_own(content))


def vet(workspace: Workspace, content: TwilioContent) -> list[Finding]:
    """What Twilio says of the account and the sender that `content` names, before anything is stored; nothing for
    the sandbox. The account comes first: where it is not well, nothing else can be seen.

    Takes as long as Twilio does, so it belongs outside any transaction. Raises like `choose_account`.
    """
    with _as_edit():
        _check_sample(workspace, content)
        if content.use == "sandbox":
            return []
        wanted = (
            accounts.shared_account()
            if content.use == "shared"
            else accounts.own_account(workspace, **_own(content))
        )
        if wanted is None:
            raise accounts.NoSharedAccount(accounts.NOT_SHARED)
    try:
        whole = account_finding(wanted)
        sender = wanted.messaging_service_sid or wanted.from_number
        return [whole, sender_finding(wanted, sender)] if whole.well and sender else [whole]
    finally:
        if content.use == "own":
            forget_client(wanted)


def _check_sample(workspace: Workspace, content: TwilioContent) -> None:
    if workspace.is_sample and content.use != "sandbox":
        raise Conflict("the sample workspace always sends through the sandbox", "use")


def _own(content: TwilioContent) -> dict[str, Any]:
    return {
        "account_sid": content.account_sid,
        "auth_token": content.auth_token,
        "api_key_sid": content.api_key_sid or "",
        "api_key_secret": content.api_key_secret,
        "from_number": content.from_number or "",
        "messaging_service_sid": content.messaging_service_sid or "",
    }


@contextmanager
def _as_edit() -> Iterator[None]:
    try:
        yield
    except accounts.SecretMissing as error:
        field, _, said = str(error).partition(": ")
        raise Invalid(said, field) from None
    except accounts.NoSharedAccount as error:
        raise Conflict(str(error), "use") from None


@dataclass(frozen=True)
class Switching:
    """What another choice of account touches. `held`: texts that wait for an account that works, and go by the next
    one if they are still in time. `tracked` by account SID: texts that an account before this one sent and still
    follows to their end."""

    held: int
    tracked: Mapping[str, int]


def switching(workspace: Workspace) -> Switching:
    """What changing the account touches by now."""
    now = accounts.sending_account(workspace.pk)
    underway = Attempt.objects.filter(workspace=workspace, open=True, due_at__isnull=False)
    if now is not None:
        underway = underway.exclude(account_sid=now.account.account_sid)
    tracked = underway.values("account_sid").annotate(count=Count("pk")).order_by("account_sid")
    return Switching(
        held=accounts.held_for_account(workspace.pk).count(),
        tracked={row["account_sid"]: row["count"] for row in tracked},
    )


def waiting_by_reason(workspace: Workspace) -> dict[str, int]:
    """How many texts wait to be sent, by the reason for which they wait; empty: they are about to go."""
    texts = Message.objects.filter(workspace=workspace, status__in=WAITING, due_at__isnull=False)
    waiting: Counter[str] = Counter()
    for row in texts.values("status", "follow_up__reason").annotate(count=Count("pk")):
        in_time = Reason.OUTSIDE_SEND_WINDOW.value if row["status"] == Message.Status.SCHEDULED else ""
        waiting[row["follow_up__reason"] or in_time] += row["count"]
    return dict(waiting.most_common())
