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
    except OSError as error:
        sys.exit(fail(refused_by_the_system(error)).exit_code)
    except Exception as error:
        if _is_named(error, "CannotDecrypt"):
            sys.exit(fail(f"{error}. `postcall check` says which").exit_code)
        if _is_named(error, "OperationalError", "InterfaceError"):
            said = str(error).strip().splitlines() or [type(error).__name__]
            text = f"the database does not answer: {said[0]}. Check DATABASE_URL; `postcall check` says more"
            sys.exit(fail(text).exit_code)
        raise


def refused_by_the_system(error: OSError) -> str:
    """What the operating system refused, and about which file."""
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)


def _is_named(error: Exception, *names: str) -> bool:
    """By name: importing the classes takes longer than most commands."""
    return bool({kind.__name__ for kind in type(error).__mro__} & set(names))
