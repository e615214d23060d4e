"""Whatever an operator writes and a call brings: what leaves is the message with every hole filled, or nothing."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from postcall.actions.bindings import BINDINGS
from postcall.actions.hints import warnings_about
from postcall.actions.message import corrected, inputs_of
from postcall.followups.compose import Composed, compose
from postcall.followups.facts import CallFacts
from postcall.followups.snapshot import AgentAsItWas

from .effort import effort

AGENT = AgentAsItWas(name="Front desk", business_name="Northgate", timezone="America/Los_Angeles", locale="en-US")
START = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
NAMES = ("name", "day", "Ref_2", "x")
OUT_OF_THE_CALL = ("collected", "extracted")

NASTY = st.sampled_from(
    [
        "None", "null", "NaN", "undefined", "n/a", "-", "…", "<name>", "{name}", "{{ day }}", "${x}", "{", "}", "<",
        ">", "<>", "{}", "\u200b", "\u200d", "\ufeff", "\u202e", "\u2066", "\r\n", "\n", "\x00", "\u2028",
        "[REDACTED]",
        "****", "%s", "\\1", "\\g<0>", "$&", "‮evil", " ", "\u00a0", "a.", "a.m.", "Zoë", "👍🏽", "e\u0301",
    ]
)  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEXT = st.lists(NASTY | WORDS, max_size=4).map("".join)
VALUE = TEXT | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXT, max_size=2)
MESSAGE = st.lists(TEXT | st.sampled_from([f"<{name}>" for name in NAMES]), max_size=6).map("".join)
# Words in which no program could see a placeholder, nor one that begins or ends in them.
PLAIN = st.text(st.sampled_from("abc ÄÖ,;:!?\n'\"()-–👍é"), max_size=20)

# Written anew here, wider than the product's own: nothing that looks like a placeholder may leave.
PLACEHOLDER = re.compile(
    r"<[A-Za-z]\w{0,63}>|\{\{[^{}\n]*[A-Za-z][^{}\n]*\}\}|\{\s*[A-Za-z][A-Za-z0-9_]{0,63}\s*\}|\$\{[A-Za-z]\w*\}",
    re.ASCII,
)
NOTHING = {"", "none", "null", "undefined", "nan", "nil", "n/a"}


def call(**variables: Any) -> CallFacts:
    return CallFacts(
        call_id="c-1", customer_number="+14155550132", customer_number_raw="+14155550132", direction="inbound",
        agent_number="+14155550100", started_at=START, ended_at=START, when=START, end_reason="", connected=True,
        turns=(), variables=variables,
    )  # fmt: skip


def composed(message: str, source: str, values: dict[str, Any]) -> Composed:
    bound = BINDINGS.validate_python({name: {"from": source, "name": name} for name in values})
    return compose(message, bound, call(**{source: values}), AGENT, {})


def looks_blank(text: str) -> bool:
    return not any(unicodedata.category(letter)[0] in "LNPS" for letter in text)


@effort(300, 50_000)
@given(
    message=MESSAGE,
    source=st.sampled_from(["pre_call", *OUT_OF_THE_CALL]),
    values=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUE)),
)
@example(message="<x><day>", source="collected", values={"name": "", "day": "y>", "Ref_2": "", "x": "<da"})
@example(message="<<x>>", source="pre_call", values={"name": "", "day": "", "Ref_2": "", "x": "day"})
@example(message="{<x>}", source="pre_call", values={"name": "", "day": "", "Ref_2": "", "x": "day"})
@example(message="{{<x>}}", source="extracted", values={"name": "", "day": "", "Ref_2": "", "x": "day"})
@example(message="$<x>", source="collected", values={"name": "", "day": "", "Ref_2": "", "x": "{day}"})
def test_no_hole_leaves(message: str, source: str, values: dict[str, Any]) -> None:
    made = composed(message, source, values)
    if not made.body or made.unsafe:
        return
    assert not PLACEHOLDER.search(made.body)
    for name in inputs_of(message):
        value = made.inputs[name].value
        assert value.strip().lower() not in NOTHING
        assert not looks_blank(value)
        if source in OUT_OF_THE_CALL:
            assert len(value) <= 80
            assert not set(value) & set("\r\n\x00\u2028\u202e\u2066\u200b\ufeff")


@effort(300, 50_000)
@given(parts=st.lists(st.tuples(PLAIN, st.sampled_from(NAMES)), max_size=5), last=PLAIN)
def test_a_message_is_its_words_and_its_values(parts: list[tuple[str, str]], last: str) -> None:
    message = "".join(f"{words}<{name}>" for words, name in parts) + last
    assert inputs_of(message) == list(dict.fromkeys(name for _, name in parts))
    values = {name: f"value of {name}" for name in NAMES}
    expected = "".join(words + values[name] for words, name in parts) + last
    assert composed(message, "pre_call", values).body == expected


@effort(200, 30_000)
@given(message=MESSAGE, missing=st.sampled_from(NAMES))
def test_one_missing_value_keeps_all_of_it_back(message: str, missing: str) -> None:
    made = composed(message, "pre_call", {name: "here" for name in NAMES if name != missing})
    if missing in inputs_of(message):
        assert made.body == ""
        assert missing in made.missing


@effort(200, 30_000)
@given(message=MESSAGE)
def test_a_corrected_message_needs_no_more_correcting(message: str) -> None:
    once = corrected(message)
    assert corrected(once) == once or "{" in once  # braces around what was corrected are braces again
    warned = {warning.code for warning in warnings_about(message, "After a booking was made")}
    assert ("braces_placeholder" in warned) == (once != message)
