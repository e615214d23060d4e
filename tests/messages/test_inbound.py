"""STOP is heard, whoever shares the sender."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator

from postcall.config import config
from postcall.followups.models import OptOut
from postcall.followups.optouts import active_opt_out, opt_out
from postcall.messages.accounts import use_own
from postcall.messages.inbound import receive
from postcall.messages.signatures import BadSignature, UnknownAddress

from .clinic import ANN, Clinic

SHARED = "AC" + "d" * 32


def text(clinic: Clinic, body: str, **fields: str) -> str:
    account = clinic.account
    form = {"AccountSid": account.account_sid, "From": ANN, "To": "+15005550006", "Body": body} | fields
    path = f"/twilio/inbound/{account.inbound_token}"
    return receive(account.inbound_token, path, form.items(), clinic.signed(path, form))


@pytest.mark.parametrize(
    "body", ["STOP", "stop", " Stop. ", "UNSUBSCRIBE", "End", "quit", "Stop all", "opt-out", "CANCEL"]
)
def test_it_hears_stop(clinic: Clinic, body: str) -> None:
    assert text(clinic, body) == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    found = active_opt_out(clinic.workspace.pk, ANN)
    assert found is not None
    assert (found.origin, found.quote) == ("stop", body)


def test_it_hears_what_twilio_made_of_the_text(clinic: Clinic) -> None:
    text(clinic, "por favor no mas", OptOutType="STOP")
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("body", ["HELP", "", "Can I stop by at 5?", "Thanks"])
def test_it_takes_nothing_else_for_a_stop(clinic: Clinic, body: str) -> None:
    text(clinic, body)
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("body", ["START", "unstop", "Yes"])
def test_start_ends_what_stop_began(clinic: Clinic, body: str) -> None:
    text(clinic, "STOP")
    text(clinic, body)
    assert active_opt_out(clinic.workspace.pk, ANN) is None


def test_start_ends_what_twilio_told_of_a_stop(clinic: Clinic) -> None:
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.TWILIO)
    text(clinic, "START")
    assert active_opt_out(clinic.workspace.pk, ANN) is None


@pytest.mark.parametrize("origin", [OptOut.Origin.SAID, OptOut.Origin.OPERATOR])
def test_start_does_not_end_what_was_said_otherwise(clinic: Clinic, origin: str) -> None:
    opt_out(clinic.workspace.pk, ANN, origin)
    text(clinic, "START")
    assert active_opt_out(clinic.workspace.pk, ANN)


def test_a_stop_counts_in_every_workspace_on_the_sender(clinic: Clinic) -> None:
    other, stranger = Clinic("Elm Clinic", clinic.sandbox), Clinic("Oak Clinic", clinic.sandbox)
    for sharing in (clinic, other):
        sharing.account = use_own(sharing.workspace, account_sid=SHARED, auth_token="shared").account
    text(clinic, "STOP")
    assert active_opt_out(clinic.workspace.pk, ANN)
    assert active_opt_out(other.workspace.pk, ANN)
    assert active_opt_out(stranger.workspace.pk, ANN) is None


def test_a_stop_counts_where_the_number_was_texted_by_the_account_before(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    use_own(clinic.workspace, account_sid=SHARED, auth_token="shared")
    text(clinic, "STOP")
    assert active_opt_out(clinic.workspace.pk, ANN)


def test_it_refuses_a_text_that_twilio_did_not_sign(clinic: Clinic) -> None:
    token = clinic.account.inbound_token
    with pytest.raises(BadSignature):
        receive(token, f"/twilio/inbound/{token}", [("From", ANN), ("Body", "STOP")], {"X-Twilio-Signature": "x"})
    with pytest.raises(UnknownAddress):
        receive("nobody", "/twilio/inbound/nobody", [], {})
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("body", ["STOP", "START"])
def test_a_text_signed_with_a_made_up_token_counts_only_where_that_token_is(clinic: Clinic, body: str) -> None:
    squatter = Clinic("Oak Clinic", clinic.sandbox)
    squatter.account = use_own(
        squatter.workspace, account_sid=clinic.account.account_sid, auth_token="made up"
    ).account
    clinic.message()
    clinic.send()
    if body == "START":
        opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
    text(squatter, body)
    assert (active_opt_out(clinic.workspace.pk, ANN) is not None) == (body == "START")


def test_a_stop_counts_where_the_account_had_another_token_before(clinic: Clinic) -> None:
    use_own(clinic.workspace, account_sid=SHARED, auth_token="old")
    clinic.account = use_own(clinic.workspace, account_sid=SHARED, auth_token="new").account
    other = Clinic("Elm Clinic", clinic.sandbox)
    use_own(other.workspace, account_sid=SHARED, auth_token="old")
    text(clinic, "STOP")
    assert active_opt_out(clinic.workspace.pk, ANN)
    assert active_opt_out(other.workspace.pk, ANN) is None


def test_it_hears_a_stop_signed_with_the_token_that_replaced_the_addresss_own(clinic: Clinic) -> None:
    before = use_own(clinic.workspace, account_sid=SHARED, auth_token="old", from_number="+14155550100").account
    use_own(clinic.workspace, account_sid=SHARED, auth_token="new", from_number="+14155550100")
    form = {"AccountSid": SHARED, "From": ANN, "To": "+14155550100", "Body": "STOP"}
    path = f"/twilio/inbound/{before.inbound_token}"
    signature = RequestValidator("new").compute_signature(config().base_url + path, form)
    receive(before.inbound_token, path, form.items(), {"X-Twilio-Signature": signature})
    assert active_opt_out(clinic.workspace.pk, ANN)
