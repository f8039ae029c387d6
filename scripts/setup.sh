#!/usr/bin/env bash
# Installs what the project needs and the machine lacks, with the system's package manager: make, a C compiler, curl (the
# tests run the README's examples) and redis-server or valkey-server, 7.0 or newer; and rustfmt and clippy by rustup. Does
# nothing where all is there.
# The service starts its own Redis: no system service is left running, or enabled, by this.
set -euo pipefail

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Package tools live there, and a plain user's PATH may lack it.
PATH="$PATH:/usr/sbin:/sbin"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "needs root for: $* (no sudo here; run it as root, then try again)"
    fi
}

# Prints the first server that is new enough; without one, what was found instead goes to stderr.
find_server() {
    local name version
    for name in ${REDIS_SERVER_BIN:+"$REDIS_SERVER_BIN"} redis-server valkey-server; do
        have "$name" || continue
        version=$("$name" --version 2>/dev/null | sed -nE 's/.* v=([0-9]+)\.([0-9]+).*/\1.\2/p')
        if [ -n "$version" ] && [ "${version%%.*}" -ge 7 ]; then
            echo "$name $version"
            return
        fi
        say "$(command -v "$name") is version ${version:-unknown}; 7.0 or newer is needed" >&2
    done
    return 1
}

apt_updated=
apt_install() {
    if [ -z "$apt_updated" ]; then
        as_root apt-get update -qq
        apt_updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# Debian starts a packaged server at once, on port 6379, and at every boot. policy-rc.d is its own way to say no.
apt_install_stopped() {
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        ours=yes
    fi
    local status=0
    apt_install "$@" || status=$?
    [ -z "$ours" ] || as_root rm -f "$policy"
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now --quiet "$1" || true
    elif have update-rc.d; then
        # Where a policy of the machine's own allowed the start.
        [ -n "$ours" ] || as_root "/etc/init.d/$1" stop >/dev/null 2>&1 || true
        as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
    fi
    return "$status"
}

install_tools() {
    say "installing make and a C compiler"
    if have apt-get; then apt_install make gcc libc6-dev
    elif have dnf; then as_root dnf install -y make gcc
    elif have apk; then as_root apk add make gcc musl-dev
    elif have pacman; then as_root pacman -S --noconfirm --needed make gcc
    else fail "install make and a C compiler (cc), then try again"
    fi
}

install_curl() {
    say "installing curl"
    if have apt-get; then apt_install curl
    elif have dnf; then as_root dnf install -y curl
    elif have apk; then as_root apk add curl
    elif have pacman; then as_root pacman -S --noconfirm --needed curl
    else fail "install curl, then try again"
    fi
}

install_server() {
    say "installing a Redis server"
    # Names and preference differ: distributions are moving from Redis to Valkey.
    if have apt-get; then apt_install_stopped redis-server || apt_install_stopped valkey-server
    elif have dnf; then as_root dnf install -y valkey || as_root dnf install -y redis
    elif have apk; then as_root apk add valkey || as_root apk add redis
    elif have pacman; then as_root pacman -S --noconfirm --needed valkey
    elif have brew; then brew install redis
    else fail "install redis-server or valkey-server, 7.0 or newer, then try again"
    fi
}

have cargo || fail "Rust is not installed; see https://rustup.rs"
if ! have make || ! have cc; then install_tools; fi
have curl || install_curl
for component in rustfmt clippy; do
    tool=$component
    [ "$component" = rustfmt ] || tool=cargo-clippy
    # A rustup proxy is there even where the component is not, so it is run, not looked for.
    if ! "$tool" --version >/dev/null 2>&1; then
        have rustup || fail "$component is missing and there is no rustup to add it; install it as you installed Rust"
        say "adding $component"
        rustup component add "$component"
    fi
done
find_server >/dev/null || install_server
server=$(find_server) || fail "no Redis server 7.0 or newer could be installed; put one into PATH or name it in REDIS_SERVER_BIN"
say "ready: $(rustc --version | cut -d' ' -f1,2), $server"
