"""A stand-in moved by hand, the real Twilio SDK talking to it, and an application that takes its webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, TOKEN, Application

Connect = Callable[..., Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes Twilio clients for a stand-in, and closes their connections."""
    made: list[TwilioHttpClient] = []

    def connected(
        sandbox: Sandbox, user: str = ACCOUNT, secret: str = TOKEN, account: str | None = None, timeout: float = 30
    ) -> Client:
        made.append(TwilioHttpClient(timeout=timeout))
        client = Client(user, secret, account or ACCOUNT if user[:2] == "SK" else account, http_client=made[-1])
        client.api.base_url = client.messaging.base_url = sandbox.url
        return client

    yield connected
    for http in made:
        http.session.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox, connect: Connect) -> Client:
    return connect(sandbox)


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.close()
