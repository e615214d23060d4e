#!/bin/sh
# The pages are tested in a real Chromium: the one installed, else Debian's when we may install it.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's chromium for the tests of the pages…"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
else
    echo "No Chromium found: the tests of the pages will fail. Install it first (Debian: sudo apt install chromium)." >&2
fi
