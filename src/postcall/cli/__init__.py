"""The `postcall` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command; an expected failure is one line on standard error and exit code 1, no traceback."""
    from postcall.cli.app import app
    from postcall.cli.output import fail
    from postcall.config import ConfigError
    from postcall.database.errors import EmbeddedDatabaseError

    try:
        app()
    except (ConfigError, EmbeddedDatabaseError) as error:
        sys.exit(fail(str(error)).exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        if _database_refused(error):
            text = f"the database does not answer: {str(error).strip().splitlines()[0]}"
            sys.exit(fail(f"{text}. Check DATABASE_URL; `postcall check` says more").exit_code)
        raise


def _database_refused(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OperationalError", "InterfaceError"})
