"""The OpenAPI document says what the API does, and its page needs no network."""

from __future__ import annotations

import re

from django.test import Client

from .conftest import Api


def test_its_page_needs_no_network() -> None:
    page = Client().get("/api/v1/docs").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("/static/ninja/") for address in addresses)
    for address in addresses:
        response = Client().get(address)
        assert response.status_code == 200
        assert response.getvalue()  # read to its end, which closes the file


def test_it_describes_every_operation(api: Api) -> None:
    document = api.get("/openapi.json").json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["security"] == [{"Key": []}], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
