"""What the stand-in remembers, in SQLite: messages, opt-outs, and the auth token each account came with.

One connection, used from one thread. Every write is committed before the method returns; in a file (WAL) it
outlives the killing of the process, though not the loss of power, which a stand-in need not survive.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from postcall.sandbox.message import Message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    sid TEXT NOT NULL UNIQUE,
    account_sid TEXT NOT NULL,
    "to" TEXT NOT NULL,
    from_number TEXT,
    body TEXT NOT NULL,
    original_body TEXT NOT NULL,
    status TEXT NOT NULL,
    direction TEXT NOT NULL,
    messaging_service_sid TEXT,
    error_code INTEGER,
    segments INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    sent_at REAL,
    due_at REAL,
    status_callback TEXT,
    deleted INTEGER NOT NULL,
    parameters TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_recipient ON message (account_sid, "to", position);
CREATE INDEX IF NOT EXISTS message_due ON message (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS opt_out (
    account_sid TEXT NOT NULL,
    sender TEXT NOT NULL,
    number TEXT NOT NULL,
    PRIMARY KEY (account_sid, sender, number)
);
CREATE TABLE IF NOT EXISTS account (sid TEXT PRIMARY KEY, auth_token TEXT NOT NULL);
"""

# What stands in the place of words that were forgotten.
_DIGEST = "sha256:"

_COLUMNS = (
    *(field.name for field in fields(Message) if field.name not in ("position", "parameters")),
    "parameters",
)
_INSERT = (
    f"INSERT INTO message ({', '.join(f'{chr(34)}{name}{chr(34)}' for name in _COLUMNS)})"  # noqa: S608 (our own column names)
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)


class Store:
    """The stand-in's memory. `path` None keeps it in the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA busy_timeout=5000")
        # What is overwritten is gone from the file, not only from the table.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def reset(self) -> None:
        """Forgets messages and opt-outs; accounts stay known."""
        self._db.executescript("BEGIN; DELETE FROM message; DELETE FROM opt_out; COMMIT;")

    def add(self, message: Message) -> None:
        row = [getattr(message, name) for name in _COLUMNS[:-1]]
        self._db.execute(_INSERT, [*row, json.dumps(message.parameters)])

    def update(self, sid: str, **changes: object) -> Message:
        """Sets columns of a message and returns it as it now is."""
        assignments = ", ".join(f'"{name}" = ?' for name in changes)
        self._db.execute(f"UPDATE message SET {assignments} WHERE sid = ?", [*changes.values(), sid])  # noqa: S608 (our own column names)
        return self.message(sid)

    def forget(self, sid: str, **changes: object) -> Message:
        """Sets columns of a message whose words are to be gone, from the file too. How often the same words were
        accepted can still be counted."""
        original = self.message(sid).original_body
        if not original.startswith(_DIGEST):
            original = _DIGEST + hashlib.sha256(original.encode()).hexdigest()
        message = self.update(sid, original_body=original, parameters="{}", **changes)
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return message

    def message(self, sid: str) -> Message:
        """KeyError when there is none."""
        found = self.find("sid = ?", [sid])
        if not found:
            raise KeyError(sid)
        return found[0]

    def messages(self) -> list[Message]:
        """All of them, also deleted ones, oldest first."""
        return self.find("TRUE", [], order="position")

    def creates(self) -> Counter[tuple[str, str]]:
        """How many messages were accepted by (recipient, body as sent), redacted and deleted ones too."""
        rows = self._db.execute(
            'SELECT "to", original_body, count(*) FROM message WHERE direction = ? GROUP BY 1, 2', ["outbound-api"]
        )
        return Counter({(to, body): count for to, body, count in rows})

    def due(self) -> list[Message]:
        """Messages with a status still to come."""
        return self.find("due_at IS NOT NULL", [], order="position")

    def find(
        self,
        where: str,
        values: Iterable[object],
        *,
        order: str = "position DESC",
        limit: int = -1,
        offset: int = 0,
    ) -> list[Message]:
        """Messages for which the SQL condition `where` holds."""
        rows = self._db.execute(
            f"SELECT * FROM message WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 (conditions are written in this package, values are bound)
            [*values, limit, offset],
        )
        return [_message(row) for row in rows]

    def opt_out(self, account_sid: str, sender: str, number: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO opt_out VALUES (?, ?, ?)", [account_sid, sender, number])

    def opt_in(self, account_sid: str, sender: str, number: str) -> None:
        self._db.execute(
            "DELETE FROM opt_out WHERE account_sid = ? AND sender = ? AND number = ?",
            [account_sid, sender, number],
        )

    def is_opted_out(self, account_sid: str, sender: str, number: str) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM opt_out WHERE account_sid = ? AND sender = ? AND number = ?",
            [account_sid, sender, number],
        )
        return found.fetchone() is not None

    def opt_outs(self) -> list[dict[str, str]]:
        return [dict(row) for row in self._db.execute("SELECT * FROM opt_out ORDER BY account_sid, sender, number")]

    def token_of(self, account_sid: str) -> str | None:
        row = self._db.execute("SELECT auth_token FROM account WHERE sid = ?", [account_sid]).fetchone()
        return row["auth_token"] if row else None

    def remember_token(self, account_sid: str, auth_token: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO account VALUES (?, ?)", [account_sid, auth_token])


def _message(row: sqlite3.Row) -> Message:
    values = dict(row)
    return Message(**values | {"parameters": json.loads(values["parameters"]), "deleted": bool(values["deleted"])})
