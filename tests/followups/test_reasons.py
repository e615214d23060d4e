import pytest

from postcall.followups.models import Reason
from postcall.followups.reasons import explain


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("reason", Reason.values)
def test_it_says_what_every_reason_means_and_what_to_do(reason: str, made: bool) -> None:
    text = explain(reason, made=made)
    assert text.count(".") >= 2
    assert "_" not in text


@pytest.mark.parametrize("reason", ["awaiting_approval", "set_aside", "attachment_off"])
def test_it_says_of_a_text_that_was_made_to_send_it_again(reason: str) -> None:
    words = explain(reason, made=True).lower()
    assert "send it again" in words or "sent again" in words
    assert "judged" not in words


@pytest.mark.parametrize("reason", ["budget_exceeded", "messaging_not_configured", "sender_paused"])
def test_it_says_that_what_is_held_with_its_text_goes_by_itself(reason: str) -> None:
    assert "goes by itself" in explain(reason, made=True)
    assert "approve" not in explain(reason)


def test_what_a_pause_means_holds_for_a_restored_database_too() -> None:
    assert "Twilio" not in explain("sender_paused")
