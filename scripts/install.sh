#!/bin/sh
# Installs the pinned requirements and Postcall itself into .venv.  usage: install.sh run|dev
set -eu
echo "Installing what Postcall needs into .venv (the first time takes a minute or two)…"
pip=".venv/bin/python -m pip --disable-pip-version-check install --quiet"
$pip --require-hashes -r requirements/"$1".txt
$pip --require-hashes -r requirements/build.txt
$pip --no-build-isolation --no-deps --editable .
touch .venv/"$1"
if [ "$1" = dev ]; then touch .venv/run; fi
