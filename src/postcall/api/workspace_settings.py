"""/settings"""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Any, ClassVar, Literal, Self

import phonenumbers
from django.http import HttpResponse
from pydantic import AfterValidator, Field, StrictInt, model_validator

from postcall.agents.editing import FromNumber, MessagingServiceSid
from postcall.api.answers import Out, answer, check_version, versioned
from postcall.api.audit import record
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.problems import Problem, wrong_fields
from postcall.api.routes import Routes
from postcall.messages import accounts
from postcall.messages.addresses import inbound_address
from postcall.messages.claim import look_again
from postcall.messages.pausing import Pause, pauses
from postcall.messages.recheck import CannotRecheck, Finding, recheck
from postcall.shapes import Strict
from postcall.workspaces.audit import CHANGED, Thing
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import locked

routes = Routes(tags=["Settings"])

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


class WindowOut(Out):
    start: str
    end: str


class SendingOut(Out):
    """The rules under which texts leave."""

    window: WindowOut | None
    valid_for_s: int
    max_per_number_per_day: int | None
    max_messages_per_day: int | None
    countries: list[str] | None
    unconfirmed: Literal["resend_when_absent", "hold"]


class RetentionContent(Strict):
    days: StrictInt | None = Field(ge=1, le=36_500, description="Null: kept for ever.")


class RetentionOut(Out):
    """After how many days transcript, raw payload and text go; outcome and audit stay."""

    days: int | None


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


class PauseOut(Out):
    """Nothing leaves by it until it is mended: Twilio refused it three times in a row."""

    sender: str | None = Field(description="A number or messaging service; null: the account as a whole.")
    since: datetime
    code: int | None
    message: str
    fix: str


class TwilioOut(Out):
    """What the workspace sends by. Secrets are never shown."""

    volatile: ClassVar[frozenset[str]] = frozenset({"paused"})

    use: Literal["own", "shared", "sandbox"] | None = Field(description="Null: nothing is chosen, nothing is sent.")
    account_sid: str | None
    api_key_sid: str | None
    from_number: str | None
    messaging_service_sid: str | None
    auth_token_set: bool
    shared_available: bool = Field(description="Whether this deployment has a shared account.")
    inbound_url: str | None = Field(description="Set it in Twilio as the sender's address for incoming messages.")
    paused: list[PauseOut] = Field(description="What Twilio refused so often that it is left be; the rest sends.")


@routes.get("/settings/sending", response=SendingOut, summary="Sending rules", operation_id="get_sending")
def read_sending(request: ApiRequest) -> HttpResponse:
    return versioned(sending_rules(request.auth.workspace))


@routes.put(
    "/settings/sending",
    response=SendingOut,
    auth=ADMIN,
    summary="Change the sending rules",
    operation_id="put_sending",
)
def change_sending(request: ApiRequest, content: SendingContent) -> HttpResponse:
    """What is left out stays as it is. Texts that are waiting are looked at under the new rules."""
    workspace = _locked(request)
    before = sending_rules(workspace)
    check_version(request, before)
    after = set_sending_rules(workspace, content)
    record(request, "update", Thing("sending"), before=before, after=after)
    return versioned(after)


def set_sending_rules(workspace: Workspace, content: SendingContent) -> SendingOut:
    """What is left out stays as it is; texts that are waiting are looked at under the new rules. The caller has the
    workspace locked."""
    given = content.model_fields_set
    changes: dict[str, Any] = {name: getattr(content, name) for name in given - {"window"}}
    if "window" in given:
        window = content.window
        changes["window_start"] = time.fromisoformat(window.start) if window else None
        changes["window_end"] = time.fromisoformat(window.end) if window else None
    _save(workspace, changes)
    look_again(workspace.pk)
    return sending_rules(workspace)


@routes.get("/settings/retention", response=RetentionOut, summary="Retention", operation_id="get_retention")
def read_retention(request: ApiRequest) -> HttpResponse:
    return versioned(RetentionOut(days=request.auth.workspace.retention_days))


@routes.put(
    "/settings/retention",
    response=RetentionOut,
    auth=ADMIN,
    summary="Change the retention",
    operation_id="put_retention",
)
def change_retention(request: ApiRequest, content: RetentionContent) -> HttpResponse:
    workspace = _locked(request)
    before = RetentionOut(days=workspace.retention_days)
    check_version(request, before)
    _save(workspace, {"retention_days": content.days})
    after = RetentionOut(days=workspace.retention_days)
    record(request, "update", Thing("retention"), before=before, after=after)
    return versioned(after)


@routes.get("/settings/twilio", response=TwilioOut, summary="The Twilio account", operation_id="get_twilio")
def read_twilio(request: ApiRequest) -> HttpResponse:
    return versioned(_twilio(request.auth.workspace))


@routes.put(
    "/settings/twilio",
    response=TwilioOut,
    auth=ADMIN,
    summary="Choose the Twilio account",
    operation_id="put_twilio",
)
def change_twilio(request: ApiRequest, content: TwilioContent) -> HttpResponse:
    """Own account, the deployment's shared one, or the sandbox. Texts that were sent by another account are
    tracked by that one to their end. Saving lifts a pause."""
    workspace = _locked(request)
    before = _twilio(workspace)
    check_version(request, before)
    _choose(workspace, content)
    after = _twilio(workspace)
    secrets = {name: CHANGED for name in ("auth_token", "api_key_secret") if getattr(content, name) is not None}
    record(request, "update", Thing("twilio"), before=before, after=after, changes=secrets)
    return versioned(after)


class FindingOut(Out):
    sender: str | None = Field(description="Null: the account as a whole.")
    well: bool
    message: str
    fix: str | None


class RecheckOut(Out):
    """What Twilio says of the account and its senders by now."""

    well: bool
    checks: list[FindingOut]
    looked_at: int = Field(
        description="Texts that were held and are looked at again now. Those whose sender is well go out, if they "
        "are still in time."
    )
    paused: list[PauseOut] = Field(description="What is still paused.")


@routes.post(
    "/settings/twilio/recheck",
    response=RecheckOut,
    auth=ADMIN,
    summary="Check the Twilio account again",
    operation_id="recheck_twilio",
)
def recheck_twilio(request: ApiRequest) -> HttpResponse:
    """Asks Twilio for the account, its sender and every paused one, and lifts the pauses of what is well. Texts
    whose time is over by then expire."""
    workspace = request.auth.workspace
    try:
        found = recheck(
            workspace.pk,
            lambda found: record(request, "recheck", Thing("twilio"), changes={"well": [None, found.well]}),
        )
    except CannotRecheck as problem:
        raise Problem(409, str(problem)) from None
    return answer(
        RecheckOut(
            well=found.well,
            checks=[_finding(each) for each in found.findings],
            looked_at=found.looked_at,
            paused=[_pause(pause) for pause in pauses(workspace.pk)],
        )
    )


def _finding(finding: Finding) -> FindingOut:
    return FindingOut(
        sender=finding.sender or None, well=finding.well, message=finding.message, fix=finding.fix or None
    )


def _choose(workspace: Workspace, content: TwilioContent) -> None:
    if workspace.is_sample and content.use != "sandbox":
        raise Problem(409, "the sample workspace always sends through the sandbox")
    try:
        if content.use == "sandbox":
            accounts.use_sandbox(workspace)
        elif content.use == "shared":
            accounts.use_shared(workspace)
        else:
            assert content.account_sid is not None
            accounts.use_own(
                workspace,
                account_sid=content.account_sid,
                auth_token=content.auth_token,
                api_key_sid=content.api_key_sid or "",
                api_key_secret=content.api_key_secret,
                from_number=content.from_number or "",
                messaging_service_sid=content.messaging_service_sid or "",
            )
    except accounts.SecretMissing as error:
        field, _, said = str(error).partition(": ")
        raise wrong_fields([(field, said)]) from None
    except accounts.NoSharedAccount as error:
        raise Problem(409, str(error)) from None


def _twilio(workspace: Workspace) -> TwilioOut:
    sending = accounts.sending_account(workspace.pk)
    account = sending.account if sending else None
    return TwilioOut(
        use=account.kind if account else None,
        account_sid=account.account_sid if account else None,
        api_key_sid=(account and account.api_key_sid) or None,
        from_number=(account and account.from_number) or None,
        messaging_service_sid=(account and account.messaging_service_sid) or None,
        auth_token_set=bool(account and account.auth_token),
        shared_available=accounts.shared_account() is not None,
        inbound_url=inbound_address(account) if account else None,
        paused=[_pause(pause) for pause in pauses(workspace.pk)],
    )


def _pause(pause: Pause) -> PauseOut:
    text = pause.error
    return PauseOut(
        sender=pause.sender or None, since=pause.since, code=text.code, message=text.message, fix=text.fix
    )


def sending_rules(workspace: Workspace) -> SendingOut:
    start, end = workspace.window_start, workspace.window_end
    return SendingOut(
        window=WindowOut(start=f"{start:%H:%M}", end=f"{end:%H:%M}") if start and end else None,
        valid_for_s=workspace.valid_for_s,
        max_per_number_per_day=workspace.max_per_number_per_day,
        max_messages_per_day=workspace.max_messages_per_day,
        countries=workspace.countries,
        unconfirmed=workspace.unconfirmed,
    )


def _save(workspace: Workspace, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(workspace, name, value)
    workspace.save(update_fields=list(changes))


def _locked(request: ApiRequest) -> Workspace:
    """Nobody else changes its settings until this transaction ends."""
    return locked(request.auth.workspace)
