# Sourced by the scripts that measure: rounds, samples and their medians, load, the rows of a table. As its environment:
#
#   QUICK=1        one short round of everything, to see that it works; the figures are worth little then
#   ROUNDS=5       rounds
#   SECONDS_EACH=4 seconds of each measurement
#   CONNECTIONS=64 connections of the load generator (one request under way on each)
# shellcheck shell=bash
CARGO=${CARGO:-cargo}

if [ -n "${QUICK:-}" ]; then
    ROUNDS=${ROUNDS:-1} SECONDS_EACH=${SECONDS_EACH:-1}
else
    ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-4}
fi
CONNECTIONS=${CONNECTIONS:-64}

# shellcheck source=scripts/service.sh
source scripts/service.sh

# The server that the service would choose; named, so that the references run the same one.
if [ -z "${REDIS_SERVER_BIN:-}" ]; then
    for name in redis-server valkey-server; do
        if "$name" --version 2>/dev/null | grep -E ' v=([7-9]|[1-9][0-9]+)\.' >/dev/null; then
            REDIS_SERVER_BIN=$(command -v "$name")
            break
        fi
    done
fi
[ -n "${REDIS_SERVER_BIN:-}" ] || fail "needs a redis-server or valkey-server, 7.0 or newer: make setup installs one"
export REDIS_SERVER_BIN
fleetpulse=target/release/fleetpulse

# Samples: one number a line in $work/samples/NAME.
mkdir "$work/samples"
note() { printf '%s\n' "$2" >>"$work/samples/$1"; }
median() {
    [ -s "$work/samples/$1" ] || { echo -; return; }
    sort -g "$work/samples/$1" | awk '{ v[NR] = $1 } END { print (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'
}
# ratio NAME A B: notes A / B, of the same round.
ratio() { note "$1" "$(awk -v a="$2" -v b="$3" 'BEGIN { print a / b }')"; }

# The first number under a name in a line of JSON.
number() { grep -oE "\"$1\":[-+0-9.eE]+" <<<"$report" | head -1 | cut -d: -f2; }

# load SERVER WORDS...: puts load on a server; its output is in $report.
load() {
    local server=$1 words=("${@:2}")
    # The queries of the next load need the entities that this one has created.
    report=$("$fleetpulse" load "${words[@]}" --keep --url "${urls[$server]}" --json)
    if grep -q '"errors":{"' <<<"$report"; then
        say "warning: errors under load ${words[*]}: $(grep -oE '"errors":\{"[^}]*\}' <<<"$report" | head -1)"
        errors=yes
    fi
}
errors=

# A service with its embedded Redis; an hour's TTL, so that no entity expires during the measurement.
serve() { start "$1" "$fleetpulse" serve --bind 127.0.0.1:0 --data-dir "$work/$1" --ttl 3600; await_ready "$1"; }

common=(--connections "$CONNECTIONS" --duration "${SECONDS_EACH}s")

# row WHAT REACH VALUE UNIT BESIDE: REACH is "<= number" or ">= number", and VALUE is compared with it.
row() {
    awk -v what="$1" -v reach="$2" -v value="$3" -v unit="$4" -v beside="$5" 'BEGIN {
        split(reach, r, " ")
        met = value == "-" ? "–" : (r[1] == "<=" ? value + 0 <= r[2] + 0 : value + 0 >= r[2] + 0) ? "yes" : "**no**"
        shown = value == "-" ? "–" : value >= 100 ? sprintf("%.0f", value) : sprintf("%.3g", value)
        printf "| %s | %s %s%s | %s%s | %s | %s |\n", what, r[1] == "<=" ? "≤" : "≥", r[2], unit, shown, unit, met, beside }'
}
m() { awk -v value="$(median "$1")" 'BEGIN { print (value == "-" ? "–" : value >= 100 ? sprintf("%.0f", value) : sprintf("%.3g", value)) }'; }

# table: the head of the table.
table() {
    local cpu
    cpu=$(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -1)
    cat <<TABLE
Measured $(date -u +%F) on $(nproc) cores (${cpu:-unknown}), shared with the load generator; $("$REDIS_SERVER_BIN" --version | grep -oE 'v=[0-9.]+' | tr '=' ' '); medians of $ROUNDS rounds of $SECONDS_EACH s, $CONNECTIONS connections${QUICK:+ (QUICK)}.

| what | reach | here | met | beside |
|---|---|---|---|---|
TABLE
}
