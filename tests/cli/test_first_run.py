"""What a starting process says of signing in, asked past Django."""

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password

from postcall.bootstrap import default_workspace, opens_unclaimed
from postcall.cli.first_run import opens, set_up_link
from postcall.config import config
from postcall.workspaces.models import User

PASSWORD = "a-long-password-1"


def test_it_knows_the_password_that_django_stored() -> None:
    stored = make_password(PASSWORD)
    assert opens(stored, PASSWORD)
    assert not opens(stored, "another")
    assert not opens("argon2$x$y", PASSWORD)


def test_it_prints_no_link_where_nothing_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert set_up_link() is None


@pytest.mark.django_db(transaction=True)
def test_it_prints_the_link_until_there_is_a_person(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    monkeypatch.setenv("DATABASE_URL", database_url.replace("/postcall?", f"/{connection.settings_dict['NAME']}?"))
    monkeypatch.setenv("POSTCALL_SECRET_KEY", settings.SECRET_KEY)
    config.cache_clear()
    default_workspace()
    link = set_up_link()
    assert link is not None
    assert opens_unclaimed(link.rsplit("/", 1)[1])
    User.objects.create(email="dana@northgate.example")
    assert set_up_link() is None
    config.cache_clear()
