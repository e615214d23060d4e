from __future__ import annotations

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from postcall.sandbox.creating import pool_number
from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, SERVICE, TOKEN, Application


def text(sandbox: Sandbox, application: Application, body: str, **more: object) -> dict[str, str]:
    arguments = {"to": OURS} | more
    sandbox.inbound(
        account_sid=ACCOUNT,
        from_number=ANN,
        body=body,
        url=f"{application.url}/in?x=1",
        **arguments,  # type: ignore[arg-type]  # one keyword or the other
    )
    return application.received[-1].form


def refusal(client: Client, **sender: str) -> int | None:
    try:
        client.messages.create(to=ANN, body="Hi", **sender or {"from_": OURS})
    except TwilioRestException as refused:
        return int(refused.code)
    return None


def test_a_text_comes_in_signed(sandbox: Sandbox, client: Client, application: Application) -> None:
    client.messages.list()
    form = text(sandbox, application, "See you then ☃")
    (received,) = application.received
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(TOKEN).validate(f"{application.url}/in?x=1", form, signature)
    assert (form["From"], form["To"], form["Body"]) == (ANN, OURS, "See you then ☃")
    assert (form["NumMedia"], form["NumSegments"], form["SmsSid"]) == ("0", "1", form["MessageSid"])
    assert "OptOutType" not in form


def test_a_text_is_listed_as_inbound(sandbox: Sandbox, client: Client, application: Application) -> None:
    text(sandbox, application, "Hello")
    (message,) = client.messages.list(from_=ANN)
    assert (message.direction, message.status) == ("inbound", "received")


@pytest.mark.parametrize("word", ["STOP", " stop ", "Unsubscribe", "CANCEL"])
def test_stop_ends_texts_from_that_sender(
    sandbox: Sandbox, client: Client, application: Application, word: str
) -> None:
    text(sandbox, application, word)
    assert refusal(client) == 21610
    assert refusal(client, from_="+15559870000") is None


def test_start_allows_them_again(sandbox: Sandbox, client: Client, application: Application) -> None:
    text(sandbox, application, "STOP")
    text(sandbox, application, "START")
    assert refusal(client) is None


def test_words_around_stop_stop_nothing(sandbox: Sandbox, client: Client, application: Application) -> None:
    text(sandbox, application, "please stop by at noon")
    assert refusal(client) is None


@pytest.mark.parametrize(("word", "kind"), [("stop", "STOP"), ("unstop", "START"), ("info", "HELP")])
def test_advanced_opt_out_names_the_keyword(
    sandbox: Sandbox, application: Application, word: str, kind: str
) -> None:
    assert text(sandbox, application, word, advanced_opt_out=True)["OptOutType"] == kind
    assert "OptOutType" not in text(sandbox, application, "hello", advanced_opt_out=True)


def test_stop_counts_for_the_whole_service(sandbox: Sandbox, client: Client, application: Application) -> None:
    form = text(sandbox, application, "STOP", to=pool_number(SERVICE), messaging_service_sid=SERVICE)
    assert form["MessagingServiceSid"] == SERVICE
    assert refusal(client, messaging_service_sid=SERVICE) == 21610


def test_stop_to_the_services_number_counts_too(sandbox: Sandbox, client: Client, application: Application) -> None:
    text(sandbox, application, "STOP", to=pool_number(SERVICE))
    assert refusal(client, messaging_service_sid=SERVICE) == 21610
