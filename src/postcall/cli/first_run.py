"""Who can sign in, asked past Django, which the starting processes do without."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

import psycopg

from postcall.cli.addresses import shown_url
from postcall.config import config
from postcall.workspaces.claim import token_of


def set_up_link() -> str | None:
    """The link that makes the first person. None where there is one, or no tables are there yet."""
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
            claimed = connection.execute("SELECT 1 FROM person LIMIT 1").fetchone()
            home = connection.execute("SELECT id FROM workspace WHERE is_default").fetchone()
    except psycopg.Error:
        return None
    if claimed or home is None:
        return None
    return f"{shown_url()}/set-up/{token_of(config().secret_keys[0], str(home[0]))}"


def password_of(email: str) -> str | None:
    """The person's stored password, as Django stores it; None where nobody signs in so."""
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
            query = "SELECT password FROM person WHERE email = %s AND is_active"
            row = connection.execute(query, [email]).fetchone()
    except psycopg.Error:
        return None
    return str(row[0]) if row else None


def opens(stored: str, password: str) -> bool:
    """Whether it is the password of which `stored` (`pbkdf2_sha256$ROUNDS$SALT$HASH`) was made."""
    kind, _, rest = stored.partition("$")
    rounds, _, rest = rest.partition("$")
    salt, _, digest = rest.partition("$")
    if kind != "pbkdf2_sha256" or not rounds.isdecimal():
        return False
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), int(rounds))
    return hmac.compare_digest(base64.b64encode(made).decode(), digest)
