"""/settings"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from django.http import HttpResponse
from pydantic import Field

from postcall.api.answers import Out, answer, check_version, versioned
from postcall.api.audit import record
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.problems import Problem
from postcall.api.routes import Routes
from postcall.keeping.retention import RetentionContent, set_retention
from postcall.messages import accounts
from postcall.messages.addresses import inbound_address
from postcall.messages.editing import (
    SendingContent,
    SendingRules,
    TwilioContent,
    choose_account,
    sending_rules,
    set_sending_rules,
)
from postcall.messages.findings import Finding
from postcall.messages.pausing import Pause, pauses
from postcall.messages.recheck import CannotRecheck, recheck
from postcall.workspaces.audit import CHANGED, Thing
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import locked

routes = Routes(tags=["Settings"])


class SendingOut(Out, SendingRules):
    """The rules under which texts leave."""


class RetentionOut(Out):
    """After how many days transcript, raw payload and text go; outcome and audit stay."""

    days: int | None


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
    return versioned(_sending(request.auth.workspace))


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
    before = _sending(workspace)
    check_version(request, before)
    set_sending_rules(workspace, content)
    after = _sending(workspace)
    record(request, "update", Thing("sending"), before=before, after=after)
    return versioned(after)


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
    set_retention(workspace, content)
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
    choose_account(workspace, content)
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


def _sending(workspace: Workspace) -> SendingOut:
    return SendingOut(**sending_rules(workspace).model_dump())


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


def _locked(request: ApiRequest) -> Workspace:
    """Nobody else changes its settings until this transaction ends."""
    return locked(request.auth.workspace)
