"""Reading JSON that anybody may have sent."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcall.sources.kinds import KINDS
from postcall.sources.reading import MAX_DEPTH, NotJson, path_of, read_json


@given(st.binary(max_size=200))
def test_it_reads_or_refuses_whatever_comes(body: bytes) -> None:
    with contextlib.suppress(NotJson):
        read_json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
        max_leaves=20,
    )
)
def test_it_reads_what_json_can_say(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_it_refuses_what_is_nested_deeper_than_anybody_reads(opened: bytes) -> None:
    closed = b"]" if opened == b"[" else b"}"
    assert read_json(opened * MAX_DEPTH + b"1" + closed * MAX_DEPTH)
    with pytest.raises(NotJson, match="too deeply"):
        read_json(opened * (MAX_DEPTH + 1) + b"1" + closed * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (("transcript", 0, "role"), "transcript.0.role"),
        (("inputs", "day", "collected", "name"), "inputs.day.name"),
        (("inputs", "fixed", "fixed", "value", "str"), "inputs.fixed.value"),
        (("inputs", "date"), "inputs.date"),
        (("bindings", "*", "date", "ask", "example"), "bindings.*.date.example"),
        (("from", "date"), "from"),
        ((), ""),
    ],
)
def test_it_writes_a_path_as_the_sender_would(steps: tuple[int | str, ...], path: str) -> None:
    assert path_of(steps) == path


def test_it_knows_each_kind_by_its_name() -> None:
    assert all(kind.name == name for name, kind in KINDS.items())
