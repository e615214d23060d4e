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
    "body",
    [
        *("STOP", "stop", " Stop. ", "sToP!!", "“Stop”", "\nSTOP\n", "S.T.O.P", "ＳＴＯＰ", "🛑 stop 🛑"),
        *("UNSUBSCRIBE", "End", "quit", "Stop all", "STOPALL", "revoke", "opt-out", "Opt out", "CANCEL", "cancel."),
        *("ARRET", "Arrêt", "arrêté", "ARRE\u0302T", "Arrett", "ALTO", "¡Alto!"),
    ],
)
def test_it_hears_stop(clinic: Clinic, body: str) -> None:
    assert text(clinic, body) == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    found = active_opt_out(clinic.workspace.pk, ANN)
    assert found is not None
    assert (found.origin, found.quote) == ("stop", body)


def test_it_hears_what_twilio_made_of_the_text(clinic: Clinic) -> None:
    text(clinic, "por favor no mas", OptOutType="STOP")
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("told", ["STOP", "stop", " Stop "])
def test_it_hears_what_twilio_made_of_the_text_in_any_case(clinic: Clinic, told: str) -> None:
    text(clinic, "ok", OptOutType=told)
    assert active_opt_out(clinic.workspace.pk, ANN)


def test_twilios_word_goes_before_the_texts_own(clinic: Clinic) -> None:
    """A campaign may have made START of another word, or HELP of one of ours."""
    text(clinic, "stop", OptOutType="HELP")
    assert active_opt_out(clinic.workspace.pk, ANN) is None
    text(clinic, "stop")
    text(clinic, "otra vez", OptOutType="START")
    assert active_opt_out(clinic.workspace.pk, ANN) is None


@pytest.mark.parametrize("told", ["", "LATER", "STOP PLEASE"])
def test_a_word_of_twilios_that_is_not_known_changes_nothing(clinic: Clinic, told: str) -> None:
    text(clinic, "Stop", OptOutType=told)
    text(clinic, "Thanks", OptOutType=told)
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("body", ["HELP", "help", "Info", "AIDE", "Ayuda"])
def test_help_changes_nothing(clinic: Clinic, body: str) -> None:
    text(clinic, body)
    text(clinic, body, OptOutType="HELP")
    assert not OptOut.objects.exists()
    text(clinic, "STOP")
    text(clinic, body)
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("body", ["", "Can I stop by at 5?", "Thanks", "Please stop", "stopped", "🛑", "ENDE"])
def test_it_takes_nothing_else_for_a_stop(clinic: Clinic, body: str) -> None:
    text(clinic, body)
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("body", ["START", "unstop", "Yes"])
def test_start_ends_what_stop_began(clinic: Clinic, body: str) -> None:
    text(clinic, "STOP")
    text(clinic, body)
    assert active_opt_out(clinic.workspace.pk, ANN) is None


@pytest.mark.parametrize("body", ["Yes!", "Yes, Tuesday is fine", "re-start", "un stop", "“start”", "STARTS"])
def test_it_guesses_no_consent(clinic: Clinic, body: str) -> None:
    text(clinic, "STOP")
    text(clinic, body)
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("body", [" start ", "START\n", "yes"])
def test_it_takes_the_bare_word_for_consent(clinic: Clinic, body: str) -> None:
    text(clinic, "STOP")
    text(clinic, body)
    assert active_opt_out(clinic.workspace.pk, ANN) is None


def test_a_stop_that_comes_twice_is_one(clinic: Clinic) -> None:
    text(clinic, "STOP")
    text(clinic, "Stop")
    assert OptOut.objects.count() == 1
    text(clinic, "START")
    text(clinic, "START")
    text(clinic, "STOP")
    assert OptOut.objects.count() == 2
    assert active_opt_out(clinic.workspace.pk, ANN)


def test_start_brings_back_only_what_stop_took_in_each_workspace(clinic: Clinic) -> None:
    other = Clinic("Elm Clinic", clinic.sandbox)
    for sharing in (clinic, other):
        sharing.account = use_own(sharing.workspace, account_sid=SHARED, auth_token="shared").account
    opt_out(other.workspace.pk, ANN, OptOut.Origin.OPERATOR)
    text(clinic, "STOP")
    text(clinic, "START")
    assert active_opt_out(clinic.workspace.pk, ANN) is None
    assert active_opt_out(other.workspace.pk, ANN)


def test_start_ends_what_twilio_told_of_a_stop(clinic: Clinic) -> None:
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.TWILIO)
    text(clinic, "START")
    assert active_opt_out(clinic.workspace.pk, ANN) is None


@pytest.mark.parametrize("origin", [OptOut.Origin.SAID, OptOut.Origin.OPERATOR])
def test_start_does_not_end_what_was_said_otherwise(clinic: Clinic, origin: str) -> None:
    opt_out(clinic.workspace.pk, ANN, origin)
    text(clinic, "START")
    assert active_opt_out(clinic.workspace.pk, ANN)


@pytest.mark.parametrize("origin", [OptOut.Origin.SAID, OptOut.Origin.OPERATOR])
@pytest.mark.parametrize("first", ["STOP", "otherwise"])
def test_start_does_not_end_what_was_said_beside_a_stop(clinic: Clinic, origin: str, first: str) -> None:
    if first == "STOP":
        text(clinic, "STOP")
    opt_out(clinic.workspace.pk, ANN, origin, quote="Take me off your list.")
    text(clinic, "STOP")
    text(clinic, "START")
    found = active_opt_out(clinic.workspace.pk, ANN)
    assert found is not None
    assert (found.origin, found.quote) == (origin, "Take me off your list.")


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
