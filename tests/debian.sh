#!/bin/sh
# What the tests need from Debian and no Python package brings: installed here as root; elsewhere its absence is said,
# and the tests that need it are skipped, each with its reason. A line: the command, the package, what is tested with it.
needed="
chromium chromium the pages
nginx nginx-light the shipped nginx configuration
openssl openssl its TLS
systemd-analyze systemd the units of systemd
"

missing=""
while read -r command package what; do
    [ -n "$command" ] || continue
    command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] || missing="$missing $package"
done <<LIST
$needed
LIST
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    apt-get update -q >/dev/null 2>&1
    for package in $missing; do  # one by one: what cannot be had must not keep the others away
        # RUNLEVEL=1: installing a server must not start it
        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$package" >/dev/null 2>&1
    done
fi

while read -r command package what; do
    [ -n "$command" ] || continue
    command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] ||
        echo "$package is not installed: the tests of $what will be skipped"
done <<LIST
$needed
LIST
