"""A member's own phone: the number is theirs once they have typed a code that was texted to it.

One number a person. What the codes cost, and whom they reach, is bounded (`own_texts`).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.crypto import salted_hmac

from postcall.messages import twilio_client
from postcall.messages.accounts import account_with
from postcall.messages.models import Account, OwnPhone, OwnText, PhoneCode
from postcall.messages.own_texts import NotPossible, Words, order
from postcall.messages.twilio_client import RemoteMessage
from postcall.work import clock
from postcall.workspaces.models import User

VALID: Final = timedelta(minutes=10)
TRIES: Final = 5
DIGITS: Final = 6


@dataclass(frozen=True)
class Wrong:
    """The code that was typed is not it; `tries_left` 0: another has to be asked for."""

    tries_left: int


@transaction.atomic
def send_code(person: User, workspace_id: UUID, number: str, once: UUID) -> tuple[OwnText, bool]:
    """Texts a code to `number` (E.164) by the workspace's sender; the one before is void. Returns its text and
    whether it is new, as `order` does. Raises NotPossible."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    body = f"{code} is your Postcall code. It is valid for 10 minutes."
    text, new = order(person, workspace_id, Words(OwnText.Kind.CODE, number, body), once)
    if new:
        expect(text, code)
    return text, new


def expect(text: OwnText, code: str) -> PhoneCode:
    """From now on the person of `text` may type `code`, and no other."""
    values = {
        "text": text,
        "number": text.to,
        "digest": _digest(text, code),
        "tries_left": TRIES,
        "valid_until": clock.now() + VALID,
    }
    return PhoneCode.objects.update_or_create(person=text.person, defaults=values)[0]


def _digest(text: OwnText, code: str) -> str:
    """Keyed, because there are only a million codes."""
    return salted_hmac("postcall.own_phone", f"{text.pk} {code}", algorithm="sha256").hexdigest()


def awaited(person: User) -> PhoneCode | None:
    """The code that the person may still type."""
    codes = PhoneCode.objects.select_related("text", "text__workspace", "text__account")
    return codes.filter(person=person, valid_until__gt=clock.now(), tries_left__gt=0).first()


@transaction.atomic
def verify(person: User, typed: str) -> OwnPhone | Wrong:
    """Makes the number the person's own where `typed` is the code. A wrong one costs a try, so the caller's
    transaction must not be rolled back for it. Raises NotPossible where no code is awaited any more."""
    codes = PhoneCode.objects.select_for_update(of=("self",)).select_related("text")
    code = codes.filter(person=person).first()
    if code is None or code.tries_left == 0 or code.valid_until <= clock.now():
        raise NotPossible("This code is not valid any more: ask for another.")
    if not hmac.compare_digest(_digest(code.text, "".join(typed.split())), code.digest):
        code.tries_left -= 1
        code.save(update_fields=["tries_left"])
        return Wrong(code.tries_left)
    account_id = code.text.account_id
    values = {
        "workspace_id": code.text.workspace_id,
        "number": code.number,
        "by_sandbox": account_id is None or account_with(account_id).kind == Account.Kind.SANDBOX,
        "verified_at": clock.now(),
    }
    phone, _ = OwnPhone.objects.update_or_create(person=person, defaults=values)
    code.delete()
    return phone


def give_up_code(person: User) -> None:
    """The person wants another number, or none."""
    PhoneCode.objects.filter(person=person).delete()


@transaction.atomic
def remove(person: User) -> OwnPhone | None:
    """Forgets the person's number; returns what it was, None: there was none."""
    phone = OwnPhone.objects.select_for_update().filter(person=person).first()
    give_up_code(person)
    if phone is not None:
        OwnPhone.objects.filter(pk=phone.pk).delete()
    return phone


def phone_of(person: User) -> OwnPhone | None:
    return OwnPhone.objects.filter(person=person).first()


def as_the_sandbox_has_it(text: OwnText) -> str:
    """The words of a text that went to the sandbox, where nobody can read them on a phone; empty where it went
    elsewhere, or is not there."""
    if text.account_id is None or not text.sid:
        return ""
    account = account_with(text.account_id)
    if account.kind != Account.Kind.SANDBOX:
        return ""
    found = twilio_client.fetch(account, text.sid)
    return found.body if isinstance(found, RemoteMessage) else ""
