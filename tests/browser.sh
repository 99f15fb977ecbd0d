#!/bin/sh
# Pages are tested in a real Chromium: installed here as root on Debian; elsewhere its absence is said.
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium for the tests of pages"
    (apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium) \
        >/dev/null 2>&1 || echo "chromium could not be installed: the tests of pages will be skipped"
else
    echo "chromium is not installed: the tests of pages will be skipped"
fi
