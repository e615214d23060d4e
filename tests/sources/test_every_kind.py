"""What holds for every voice platform: who may send, and what is taken for a call."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, SourceKind, Unreadable
from postcall.sources.kinds import KINDS

from .platforms import Platform, platforms

PLATFORMS = platforms()
TIMED = [kind for kind, platform in PLATFORMS.items() if platform.timed]
COVERED = [kind for kind, platform in PLATFORMS.items() if platform.covers_body]

every = pytest.mark.parametrize("kind", KINDS)


def delivered(platform: Platform, *, at: float | None = None, auth: Mapping[str, Any] | None = None) -> Delivery:
    signed = platform.sign(platform.body, time.time() if at is None else at, auth or platform.auth)
    return Delivery(dict(signed), platform.body, platform.url(platform.body))


def verify(kind: str, delivery: Delivery, auth: Mapping[str, Any] | None = None) -> None:
    source: SourceKind = KINDS[kind]
    assert source.auth is not None
    stored = source.auth.model_validate(auth or PLATFORMS[kind].auth).model_dump(mode="json", exclude_none=True)
    source.verify(delivery, stored)


@every
def test_it_takes_what_the_platform_signed(kind: str) -> None:
    verify(kind, delivered(PLATFORMS[kind]))


@every
def test_it_takes_the_secret_before_the_present_one_while_that_is_kept(kind: str) -> None:
    platform, source = PLATFORMS[kind], KINDS[kind]
    assert source.auth is not None
    previous = source.auth.model_validate(platform.auth).renewable()
    verify(kind, delivered(platform), {**platform.other_auth, "previous": previous})


@every
def test_it_refuses_another_secret(kind: str) -> None:
    with pytest.raises(NotVerified):
        verify(kind, delivered(PLATFORMS[kind]), PLATFORMS[kind].other_auth)


@pytest.mark.parametrize("kind", COVERED)
def test_it_refuses_a_changed_byte(kind: str) -> None:
    sent = delivered(PLATFORMS[kind])
    for place in (0, len(sent.body) // 2, len(sent.body) - 1):
        changed = bytearray(sent.body)
        changed[place] ^= 1
        with pytest.raises(NotVerified):
            verify(kind, Delivery(sent.headers, bytes(changed), sent.url))


@pytest.mark.parametrize("kind", COVERED)
def test_it_refuses_a_body_that_goes_on(kind: str) -> None:
    sent = delivered(PLATFORMS[kind])
    with pytest.raises(NotVerified):
        verify(kind, Delivery(sent.headers, sent.body + b" ", sent.url))


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize("way", [-1, 1])
def test_it_refuses_what_was_signed_too_long_ago_or_ahead(kind: str, way: int) -> None:
    platform = PLATFORMS[kind]
    with pytest.raises(NotVerified):
        verify(kind, delivered(platform, at=time.time() + way * platform.stale_s))


@every
def test_it_refuses_what_lacks_a_header(kind: str) -> None:
    platform = PLATFORMS[kind]
    sent = delivered(platform)
    assert platform.needed
    for missing in platform.needed:
        headers = {name: value for name, value in sent.headers.items() if name != missing}
        assert len(headers) < len(sent.headers)
        with pytest.raises(NotVerified):
            verify(kind, Delivery(headers, sent.body, sent.url))


@every
@pytest.mark.parametrize("junk", ["", ",", "v1,", "=", "t=,v0=", "v=,d=", "\udcff", "é", "a" * 5000, "Bearer "])
def test_it_refuses_junk_in_place_of_a_signature(kind: str, junk: str) -> None:
    sent = delivered(PLATFORMS[kind])
    for name in PLATFORMS[kind].needed:
        with pytest.raises(NotVerified):
            verify(kind, Delivery({**sent.headers, name: junk}, sent.body, sent.url))


@every
def test_it_reads_the_call(kind: str) -> None:
    ended = KINDS[kind].parse(PLATFORMS[kind].body)
    assert isinstance(ended, EndedCall)
    assert ended.external_id == PLATFORMS[kind].call_id


@pytest.mark.parametrize("sender", KINDS)
@every
def test_it_takes_no_other_platforms_call_for_its_own(kind: str, sender: str) -> None:
    if sender == kind:
        return
    try:
        read = KINDS[kind].parse(PLATFORMS[sender].body)
    except Unreadable:
        return
    assert isinstance(read, Ignored)


@every
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"7", b'"call"', b"\xff\xfe", b'{"a":' * 5000, b'{"data": 1e999}', b"a=b&c=%ff"],
)
def test_it_says_what_is_wrong_with_what_is_no_event(kind: str, body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\w"):
        KINDS[kind].parse(body)


@every
def test_it_survives_whatever_a_field_holds(kind: str) -> None:
    """Each value of the report in turn becomes something that nobody documented."""
    platform = PLATFORMS[kind]
    for broken in _broken(platform.body):
        try:
            read = KINDS[kind].parse(broken)
        except Unreadable:
            continue
        assert isinstance(read, EndedCall | Addition | Ignored)


@pytest.mark.parametrize("written", [False, True])
@every
def test_it_survives_what_is_nested_as_deep_as_python_reads(kind: str, written: bool) -> None:
    """In place of each value in turn, and of a string of JSON."""
    deep: Any = '{"a":' * 900 + "1" + "}" * 900
    deep = json.dumps(deep) if written else deep
    for broken in _with_each_value(PLATFORMS[kind].body, ["@deep@"]):
        with contextlib.suppress(Unreadable):
            KINDS[kind].parse(broken.replace(b'"@deep@"', deep.encode()))


def _broken(body: bytes) -> list[bytes]:
    odd = (None, "", "x", -1, 1e300, True, [], {}, [None], {"a": [{}]}, "\x00\udc80")
    return _with_each_value(body, odd)


def _with_each_value(body: bytes, odds: Iterable[Any]) -> list[bytes]:
    try:
        whole = json.loads(body)
    except ValueError:
        return []
    found: list[bytes] = []

    def walk(value: Any, put: Any) -> None:
        for odd in odds:
            put(odd)
            found.append(json.dumps(whole).encode())
        put(value)
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in list(steps):
            walk(inner, lambda odd, key=key, value=value: value.__setitem__(key, odd))

    if isinstance(whole, dict):
        for key, inner in list(whole.items()):
            walk(inner, lambda odd, key=key: whole.__setitem__(key, odd))
    return found
