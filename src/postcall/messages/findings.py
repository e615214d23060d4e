"""What Twilio says of an account and its senders, looked at without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from postcall.messages import twilio_client
from postcall.messages.errors import explain
from postcall.messages.models import Account
from postcall.messages.twilio_client import Looked, Unread
from postcall.numbers import e164

Detail = Literal[
    "", "account_sid", "auth_token", "api_key_sid", "api_key_secret", "from_number", "messaging_service_sid"
]

_OTHER_SENDER: Final = (
    "Add the number to this account in Twilio's console, or choose another sender where this one was chosen: under "
    "Settings, Twilio, or on the agent."
)
_TRIAL: Final = (
    "This is a trial account: Twilio lets it text only the numbers that you verified in its console, and puts "
    "words of its own before each text. Upgrade it there before callers are texted."
)
_KEY_PAGE: Final = "Compare it with Twilio's console under Account management, API keys and auth tokens."
_SERVICE: Final = "MG"
# Of Twilio's answers: what the credentials may not see. Test credentials may see nothing.
_MAY_NOT: Final = 403
_SENDERS: Final = {"PhoneNumbers": "phone_numbers", "ShortCodes": "short_codes", "AlphaSenders": "alpha_senders"}


@dataclass(frozen=True)
class Finding:
    """`sender` empty: the account as a whole. `message` says what was found, `fix` the mend where it is amiss, and
    `about` which of the account's details is wrong. `caution`: it is well, but this is to be known.

    `unanswered`: Twilio did not say, so nothing is known.
    """

    sender: str
    well: bool
    message: str
    fix: str = ""
    about: Detail = ""
    caution: str = ""
    unanswered: bool = False


def account_finding(account: Account) -> Finding:
    """Whether Twilio takes the account's credentials, and the account may send."""
    looked = twilio_client.look(account, _path(account, ".json"), by_token=True)
    if problem := _account_problem(looked):
        return problem
    assert isinstance(looked, Looked)
    status = looked.body.get("status")
    if status != "active":
        told = status if isinstance(status, str) and status.isalpha() else "not active"
        return _amiss(f"Twilio says that the account is {told}.", "Settle it in Twilio's console.", "account_sid")
    if account.api_key_sid and (problem := _key_problem(account)):
        return problem
    trial = _TRIAL if looked.body.get("type") == "Trial" else ""
    return Finding("", True, "Twilio accepts the account's credentials.", caution=trial)


def _account_problem(looked: Looked | Unread) -> Finding | None:
    if problem := _unanswered("", looked):
        return problem
    assert isinstance(looked, Looked)
    if looked.status == _MAY_NOT and looked.body.get("code"):
        return _amiss(
            "These are Twilio's test credentials, with which no text is ever sent.",
            "Take the live account SID and auth token of the console's first page.",
            "auth_token",
        )
    return _problem("", looked, "auth_token")


def _key_problem(account: Account) -> Finding | None:
    """What keeps the API key from sending. A key that may send but not look at numbers is well."""
    looked = twilio_client.look(account, _path(account, "/IncomingPhoneNumbers.json"), PageSize="1")
    if isinstance(looked, Looked) and (looked.status == _MAY_NOT and looked.body.get("code")):
        return None
    if isinstance(looked, Looked) and looked.status == 401:
        return _wrong_key(account)
    return _unanswered("", looked) or _problem("", looked, "api_key_sid")


def _wrong_key(account: Account) -> Finding:
    """Whether it is the key or its secret; the account's own token may look the key up."""
    looked = twilio_client.look(account, _path(account, f"/Keys/{account.api_key_sid}.json"), by_token=True)
    if isinstance(looked, Looked) and looked.status == 200:
        return _amiss(
            "Twilio does not accept this secret for the API key.",
            "It was shown only when the key was made: enter it again, or make another key.",
            "api_key_secret",
        )
    if isinstance(looked, Looked) and looked.status == 404:
        return _amiss("This account has no such API key; it may be another account's.", _KEY_PAGE, "api_key_sid")
    return _amiss("Twilio does not accept this API key, or not with this secret.", _KEY_PAGE, "api_key_sid")


def sender_finding(account: Account, sender: str) -> Finding:
    """Whether the account has the sender, and it can send texts."""
    if sender.startswith(_SERVICE) and len(sender) == 34:
        return _service(account, sender)
    if e164(sender) == sender:
        return _number(account, sender)
    # Short codes and names stand in no list that is the same for every account.
    return Finding(sender, True, f"Whether {sender} may send is seen when the next text goes.")


def _number(account: Account, sender: str) -> Finding:
    looked = twilio_client.look(
        account, _path(account, "/IncomingPhoneNumbers.json"), by_token=True, PhoneNumber=sender
    )
    if problem := _unanswered(sender, looked) or _problem(sender, looked, "from_number"):
        return problem
    mine = next(
        (each for each in _listed(looked, "incoming_phone_numbers") if each.get("phone_number") == sender), None
    )
    if mine is None:
        return Finding(sender, False, f"{sender} is not a number of this account.", _OTHER_SENDER, "from_number")
    capabilities = mine.get("capabilities")
    if isinstance(capabilities, dict) and capabilities.get("sms") is False:
        return Finding(sender, False, f"{sender} cannot send texts.", "Choose a number that can.", "from_number")
    return Finding(sender, True, f"{sender} is a number of this account.")


def _service(account: Account, sender: str) -> Finding:
    looked = twilio_client.look(account, f"/v1/Services/{sender}", of_messaging=True, by_token=True)
    if isinstance(looked, Looked) and looked.status == 404:
        text = explain(21705)
        return Finding(sender, False, text.message, text.fix, "messaging_service_sid")
    if problem := _unanswered(sender, looked) or _problem(sender, looked, "messaging_service_sid"):
        return problem
    if _is_empty(account, sender):
        return Finding(
            sender,
            False,
            "The messaging service has no sender.",
            "Add a number to its sender pool in Twilio's console, under Messaging, Services.",
            "messaging_service_sid",
        )
    return Finding(sender, True, f"{sender} is a messaging service of this account.")


def _is_empty(account: Account, service: str) -> bool:
    """Whether Twilio surely lists no sender of any kind."""
    return all(senders == [] for senders in _pools(account, service))


def _pools(account: Account, service: str) -> Iterator[list[dict[str, Any]] | None]:
    for kind, name in _SENDERS.items():
        looked = twilio_client.look(
            account, f"/v1/Services/{service}/{kind}", of_messaging=True, by_token=True, PageSize="1"
        )
        known = isinstance(looked, Looked) and looked.status == 200 and isinstance(looked.body.get(name), list)
        yield _listed(looked, name) if known else None


def _listed(looked: Looked | Unread, name: str) -> list[dict[str, Any]]:
    listed = looked.body.get(name) if isinstance(looked, Looked) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _unanswered(sender: str, looked: Looked | Unread) -> Finding | None:
    if isinstance(looked, Looked) and looked.status < 500 and looked.status != 429:
        return None
    why = looked.why if isinstance(looked, Unread) else f"HTTP {looked.status}"
    return Finding(sender, False, f"Twilio could not be asked: {why}", "Check again in a moment.", unanswered=True)


def _problem(sender: str, looked: Looked | Unread, about: Detail) -> Finding | None:
    """What keeps an answer from being read as good news; None: nothing."""
    assert isinstance(looked, Looked)
    if looked.status == 200 and looked.body:
        return None
    code = looked.body.get("code")
    text = explain(code if isinstance(code, int) else looked.status)
    return Finding(sender, False, text.message, text.fix, about)


def _amiss(message: str, fix: str, about: Detail) -> Finding:
    return Finding("", False, message, fix, about)


def _path(account: Account, rest: str) -> str:
    return f"/2010-04-01/Accounts/{account.account_sid}{rest}"
