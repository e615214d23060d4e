"""Every page that a person finds by following links, each once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

_LINK = re.compile(r'(?:href|action)="([^"]+)"')
_NO_PAGES = ("/static/", "/icons.svg", "/favicon.ico", "/api/")

# Gives the page at a path; None where there is none for this reader, or no page but a file.
Read = Callable[[str], str | None]


def pages(read: Read, start: str, most: int = 1) -> dict[str, list[str]]:
    """By the names of their routes, the first `most` paths of each that links lead to, from `start` on."""
    found: dict[str, list[str]] = {}
    seen, waiting = {start}, deque([start])
    while waiting:
        path = waiting.popleft()
        name = _name_of(path)
        if name is None or len(found.get(name, ())) >= most:
            continue
        page = read(path)
        if page is None:
            continue
        found.setdefault(name, []).append(path)
        for link in _links(page, path):
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return found


def _links(page: str, base: str) -> Iterator[str]:
    for written in _LINK.findall(page):
        there = urlsplit(urljoin(base, written.replace("&amp;", "&")))
        if not there.netloc and there.path.startswith("/") and not there.path.startswith(_NO_PAGES):
            yield there.path


def _name_of(path: str) -> str | None:
    try:
        return resolve(path).url_name
    except Resolver404:
        return None
