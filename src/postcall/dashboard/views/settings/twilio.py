"""The account by which this workspace's texts leave."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.agents.editing import CannotEdit
from postcall.config import config
from postcall.dashboard.access import Visit, actor, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.sealed import seal, unseal
from postcall.dashboard.signing_in import TOO_MANY, noted_too_often
from postcall.dashboard.verbs import settings as verbs
from postcall.messages.accounts import latest_own, sending_account, shared_account, stored_since
from postcall.messages.addresses import inbound_address, is_public
from postcall.messages.editing import TwilioContent, switching, vet
from postcall.messages.findings import Finding
from postcall.messages.models import Account
from postcall.messages.recheck import CannotRecheck

MAX_ASKED: Final = 30
_SECRETS: Final = ("auth_token", "api_key_secret")
_FIELDS: Final = {"from_number": "sender", "messaging_service_sid": "sender"}
_SERVICE: Final = re.compile("MG[0-9a-fA-F]{32}")
_SHAPES: Final = {
    "account_sid": ("AC", "The account SID is AC and 32 letters and digits, on the first page of Twilio's console"),
    "api_key_sid": ("SK", "The SID of an API key is SK and 32 letters and digits"),
}


@dataclass(frozen=True)
class Secret:
    """One that is never shown: since when it is stored, and what was typed for it in a form that was refused."""

    since: datetime | None
    sealed: str = ""


@require_GET
@member
def twilio(visit: Visit) -> HttpResponse:
    return _page(visit, Form(_as_stored(visit)))


def _page(visit: Visit, form: Form, *, unanswered: Finding | None = None) -> HttpResponse:
    sending = sending_account(visit.workspace.pk)
    account = sending.account if sending else None
    shared = shared_account()
    return visit.page(
        "settings/twilio.html",
        {
            "tab": "twilio",
            "form": form,
            "account": account,
            "since": sending.mended_at if sending else None,
            "shared": shared,
            "inbound": inbound_address(account) if account and account.kind != Account.Kind.SANDBOX else "",
            "reachable": is_public(config().base_url),
            "base_url": config().base_url,
            "touches": switching(visit.workspace),
            "secrets": _secrets(visit, form),
            "unanswered": unanswered,
        },
        place="settings",
        status=200 if form.is_well and not unanswered else 422,
    )


def _as_stored(visit: Visit) -> dict[str, str]:
    sending = sending_account(visit.workspace.pk)
    own = latest_own(visit.workspace)
    return {
        "use": sending.account.kind if sending else ("sandbox" if visit.workspace.is_sample else "own"),
        "account_sid": own.account_sid if own else "",
        "api_key_sid": own.api_key_sid if own else "",
        "sender": (own.messaging_service_sid or own.from_number) if own else "",
    }


def _secrets(visit: Visit, form: Form) -> dict[str, Secret]:
    """What is stored is told of only beside the SID to which it belongs."""
    own = latest_own(visit.workspace) if visit.is_owner else None
    belongs = {
        "auth_token": own is not None and own.account_sid == form["account_sid"],
        "api_key_secret": own is not None and own.api_key_sid != "" and own.api_key_sid == form["api_key_sid"],
    }
    return {
        name: Secret(
            stored_since(visit.workspace, name) if belongs[name] else None,
            seal(visit.workspace, form[name]) if form[name] else "",
        )
        for name in _SECRETS
    }


@require_POST
@owner
def choose(visit: Visit) -> HttpResponse:
    """Has Twilio look at the account before it is stored. What is wrong is said at its field."""
    form = Form.posted(visit.request)
    for name in _SECRETS:
        if not form[name]:
            form.typed[name] = unseal(visit.workspace, form[f"{name}_sealed"])
    content = _content(form)
    if content is None:
        return _page(visit, form)
    if content.use == "own" and _asks_too_often(visit):
        form.refuse("", TOO_MANY)
        return _page(visit, form)
    try:
        findings = [] if form.ticked("unchecked") else vet(visit.workspace, content)
        amiss = next((finding for finding in findings if not finding.well), None)
        if amiss and amiss.unanswered:
            return _page(visit, form, unanswered=amiss)
        if amiss:
            _refuse(form, content, amiss)
            return _page(visit, form)
        verbs.choose_account(visit, content)
    except CannotEdit as error:
        form.refuse_for(error, _FIELDS)
        return _page(visit, form)
    _tell(visit, content, findings)
    return visit.back(visit.to("settings-twilio"))


def _asks_too_often(visit: Visit) -> bool:
    """Whether Twilio is asked, from here, about more accounts than anybody has."""
    return noted_too_often(f"twilio asked for {visit.workspace.pk}", visit.request, MAX_ASKED, from_anywhere=True)


def _content(form: Form) -> TwilioContent | None:
    if form["use"] != "own":
        return form.checked(TwilioContent, {"use": form["use"]})
    for name, (begins, said) in _SHAPES.items():
        if form[name] and not re.fullmatch(f"{begins}[0-9a-fA-F]{{32}}", form[name]):
            form.refuse(name, said)
    if not form["account_sid"]:
        form.refuse("account_sid", "Enter the account SID; it stands on the first page of Twilio's console")
    if not form["sender"]:
        form.refuse("sender", "Enter the number or the messaging service that the texts come from")
    for name in _SECRETS:
        if not re.fullmatch("[!-~]{0,128}", form[name]):
            form.refuse(name, "This has characters that no token of Twilio's has; copy it again")
    as_content = _as_content(form)
    if not form.is_well:
        return None
    return form.checked(TwilioContent, as_content, _FIELDS)


def _as_content(form: Form) -> dict[str, Any]:
    sender = form["sender"]
    is_service = sender[:2].upper() == "MG" and len(sender) > 30
    if is_service and not _SERVICE.fullmatch(sender):
        form.refuse("sender", "The SID of a messaging service is MG and 32 letters and digits")
    given = {
        "account_sid": form["account_sid"],
        "auth_token": form["auth_token"],
        "api_key_sid": form["api_key_sid"],
        "api_key_secret": form["api_key_secret"] if form["api_key_sid"] else "",
        "messaging_service_sid" if is_service else "from_number": sender,
    }
    return {"use": "own"} | {name: value for name, value in given.items() if value}


def _refuse(form: Form, content: TwilioContent, amiss: Finding) -> None:
    """At the field that is wrong; the deployment's account is no field of the form."""
    said = f"{amiss.message} {amiss.fix}".strip()
    field = "use" if content.use == "shared" else _FIELDS.get(amiss.about, amiss.about)
    form.refuse(field, said)


def _tell(visit: Visit, content: TwilioContent, findings: Sequence[Finding]) -> None:
    said = {
        "own": "Saved. Texts leave by this account from now on.",
        "shared": "Saved. Texts leave by the deployment's account from now on.",
        "sandbox": "Saved. No text leaves this machine from now on.",
    }[content.use]
    seen = " ".join(finding.message for finding in findings)
    unseen = content.use != "sandbox" and not findings
    flashes.success(visit.request, f"{said} {'Twilio was not asked: Recheck does.' if unseen else seen}".strip())
    for finding in findings:
        if finding.caution:
            flashes.warning(visit.request, finding.caution)


@require_POST
@actor
def recheck(visit: Visit) -> HttpResponse:
    """Asks Twilio again, says what it found, and lets go what is well."""
    if _asks_too_often(visit):
        flashes.error(visit.request, TOO_MANY)
        return visit.back(visit.to("settings-twilio"))
    try:
        found = verbs.recheck(visit)
    except CannotRecheck as problem:
        flashes.error(visit.request, str(problem))
        return visit.back(visit.to("settings-twilio"))
    for finding in found.findings:
        if not finding.well:
            flashes.error(visit.request, f"{finding.message} {finding.fix}".strip())
        elif finding.caution:
            flashes.warning(visit.request, finding.caution)
    if found.well:
        said = " ".join(finding.message for finding in found.findings)
        flashes.success(visit.request, f"{said} {_looked_at(found.looked_at)}")
    return visit.back(visit.to("settings-twilio"))


def _looked_at(texts: int) -> str:
    if not texts:
        return "No text was waiting for it."
    return f"{texts} held {'text is' if texts == 1 else 'texts are'} looked at again."
