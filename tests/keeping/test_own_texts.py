"""Texts to members' own phones are forgotten with the person whose number or values they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postcall.ids import new_id
from postcall.keeping import erase, export
from postcall.keeping.models import Redaction
from postcall.messages.models import OwnPhone, OwnText, PhoneCode
from postcall.messages.own_phone import expect
from postcall.work import clock
from postcall.workspaces.audit import SYSTEM
from postcall.workspaces.models import Membership, User

from .clinic import ANN, BEN, Clinic
from .test_erase import everything_stored, forget, number_in

pytestmark = pytest.mark.django_db


def an_own_text(clinic: Clinic, **fields: Any) -> OwnText:
    values: dict[str, Any] = {
        "kind": "test",
        "once": new_id(),
        "to": ANN,
        "body": "Hi Annabel.",
        "body_digest": "0" * 64,
        "segments": 1,
        "status": "delivered",
        "sid": clinic.sandbox.messages[-1].sid if clinic.sandbox.messages else "",
        "account": clinic.account,
        "account_sid": clinic.account.account_sid,
        "created_at": clock.now(),
        "started_at": clock.now(),
    }
    return OwnText.objects.create(workspace=clinic.workspace, **(values | fields))


def fresh(text: OwnText) -> OwnText:
    return OwnText.objects.get(pk=text.pk)


def test_it_forgets_a_members_own_number(clinic: Clinic) -> None:
    person = User.objects.create(email="dana@northgate.example")
    Membership.objects.create(workspace=clinic.workspace, user=person, role="owner")
    OwnPhone.objects.create(person=person, workspace=clinic.workspace, number=ANN, verified_at=clock.now())
    text = an_own_text(clinic, person=person, error_message=f"{ANN} is a landline.", sid="")
    expect(text, "123456")
    forget()
    assert number_in(everything_stored()) == []
    assert (OwnPhone.objects.exists(), PhoneCode.objects.exists()) == (False, False)
    assert (fresh(text).to, fresh(text).body, fresh(text).body_digest) == ("", "", "")


def test_it_forgets_what_was_filled_with_a_persons_values_here_and_at_twilio(clinic: Clinic) -> None:
    call = clinic.call()
    text = an_own_text(clinic, to=BEN, call=call, sid="SM" + "a" * 32)
    forget()
    assert (fresh(text).to, fresh(text).body) == (BEN, "")
    assert Redaction.objects.filter(sid="SM" + "a" * 32).exists()


def test_it_waits_until_it_is_known_whether_one_was_sent(clinic: Clinic) -> None:
    text = an_own_text(clinic, status="unconfirmed", sid="", due_at=clock.now())
    erasure = erase.begin(ANN, None, SYSTEM)
    assert erase.work(erasure) == 1
    assert (erasure.waits_for, fresh(text).to) == ([f"own_text {text.pk}"], ANN)
    OwnText.objects.update(status="absent", due_at=None)
    erase.work(erasure)
    assert (fresh(text).to, erasure.done_at is not None) == ("", True)


def test_one_that_waits_is_not_sent_any_more(clinic: Clinic) -> None:
    text = an_own_text(clinic, status="queued", sid="", account=None, account_sid="", due_at=clock.now())
    forget()
    assert (fresh(text).status, fresh(text).due_at) == ("refused", None)


def test_it_exports_that_a_test_was_sent_and_neither_its_words_nor_whom_to(clinic: Clinic) -> None:
    text = an_own_text(clinic)
    (line,) = [line for line in export.lines(clinic.workspace) if '"kind":"own_text"' in line]
    assert "delivered" in line
    assert not any(each in line for each in ("Annabel", text.to, text.body_digest))


def test_it_exports_every_line_under_its_own_kind(clinic: Clinic) -> None:
    """Also of rows that have a kind themselves."""
    kinds = [json.loads(line) for line in export.lines(clinic.workspace)]
    account = next(line for line in kinds if line["kind"] == "twilio_account")
    assert account["twilio_account_kind"] == "sandbox"
