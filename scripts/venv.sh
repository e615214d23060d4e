#!/bin/sh
# Makes .venv, or says in one line what is missing.  usage: venv.sh PYTHON
set -eu
python=$1
command -v "$python" >/dev/null || { echo "postcall: $python not found: install Python 3.11 or newer (Debian: apt install python3 python3-venv)" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "postcall: $($python --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12 …)" >&2; exit 1; }
rm -rf .venv
if ! "$python" -m venv .venv 2>/dev/null; then
    # Debian ships venv's pip bundle in a package of its own.
    rm -rf .venv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Debian's python3-venv…"
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        "$python" -m venv .venv
    else
        echo "postcall: $python cannot make a virtual environment: install it first (Debian: sudo apt install python3-venv)" >&2
        exit 1
    fi
fi
