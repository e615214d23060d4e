"""Where Twilio finds us: the addresses that we hand it, and whether it can reach them at all."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from postcall.config import config
from postcall.messages.models import Account

STATUS_PATH = "/twilio/status/"
INBOUND_PATH = "/twilio/inbound/"
# Twilio's connection overrides: five tries, upon whatever went wrong. By default it tries twice, and only when
# it could not connect: a callback that we answer with 500 would be lost.
INSIST = "#rc=5&rp=all"


def status_callback(account: Account, token: str) -> str | None:
    """The attempt's own StatusCallback; None where Twilio would refuse the address or never reach it.

    Without one the attempt is followed by polling alone.
    """
    base = config().base_url
    if speaks_to_twilio(account) and not is_public(base):
        return None
    return f"{base}{STATUS_PATH}{token}{INSIST}"


def inbound_address(account: Account) -> str:
    """What the operator enters at Twilio as the webhook for incoming texts, so that STOP is heard."""
    return f"{config().base_url}{INBOUND_PATH}{account.inbound_token}"


def speaks_to_twilio(account: Account) -> bool:
    """Whether the account's address is Twilio's own; a stand-in reaches whatever this machine reaches."""
    host = urlsplit(account.api_url).hostname or ""
    return host == "twilio.com" or host.endswith(".twilio.com")


def is_public(url: str) -> bool:
    """Whether an address can be reached from the internet, as far as it shows.

    Twilio refuses the whole message (21609) for a callback host that is not a valid name, such as one with an
    underscore.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and "_" not in host and not host.endswith((".localhost", ".local", ".internal"))
