# Sourced by the scripts that measure and verify: servers of their own on 127.0.0.1, on free ports, with all their files in
# one temporary folder ($work). Whatever was started is ended, and the folder removed, when the script ends.
# shellcheck shell=bash

# The service's defaults, and not the Redis of the environment, which belongs to other programs.
for variable in "${!REDIS_@}" "${!TRACKING_@}" "${!HTTP_@}" "${!LIMIT@}" "${!SESSION@}" "${!INVENTORY_@}" "${!LOCKS_@}" \
    "${!CACHE_@}" "${!RESPONSE_@}" "${!JOBS_@}" "${!WORK_@}" "${!WEBHOOK_@}" "${!OUTGOING_@}" "${!CIRCUIT_@}" COMMISSION_RATE \
    TRUSTED_PROXIES PROXY_HEADER CALLER_KEY_HEADER DATA_DIR RUST_LOG LOG_FORMAT FLEETPULSE_CONFIG; do
    [ "$variable" = REDIS_SERVER_BIN ] || unset "$variable"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/fleetpulse.XXXXXX")
declare -A pids=() urls=()

fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
say() { printf '%s\n' "$*" >&2; }

cleanup() {
    local name
    for name in "${!pids[@]}"; do stop "$name"; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: runs a server in the background until `stop NAME`; its address is in ${urls[NAME]} once it
# listens, its output in $work/NAME.log.
start() {
    local name=$1 tries=0
    shift
    : >"$work/$name.log"
    # A file with all that the caller may want to know stays readable if the server dies.
    "$@" >"$work/$name.log" 2>&1 &
    pids[$name]=$!
    until urls[$name]=$(sed -nE 's/^listening on (http:[^ ]*).*/\1/p' "$work/$name.log") && [ -n "${urls[$name]}" ]; do
        kill -0 "${pids[$name]}" 2>/dev/null || fail "$name does not start: $(tail -3 "$work/$name.log")"
        [ $((tries += 1)) -lt 6000 ] || fail "$name does not listen"
        sleep 0.01
    done
}

# stop NAME: SIGTERM, and waits until it has gone. Only what is still a job of this shell is signalled: the number of one
# that ended by itself may belong to another process by now.
stop() {
    local pid=${pids[$1]:-}
    [ -n "$pid" ] || return 0
    if jobs -rp | grep -qx "$pid"; then kill "$pid" 2>/dev/null || true; fi
    wait "$pid" 2>/dev/null || true
    unset "pids[$1]"
}

# await_ready NAME: until /health/ready says 200, a minute at the most.
await_ready() {
    local tries=0
    until target/release/fleetpulse check --url "${urls[$1]}" --path /health/ready 2>/dev/null; do
        [ $((tries += 1)) -lt 3000 ] || fail "$1 does not become ready"
        sleep 0.01
    done
}

# metric NAME METRIC: a metric of a server, summed over its labels; nothing if it has none.
metric() {
    local address=${urls[$1]#http://}
    exec 9<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&9
    awk -v name="$2" '{ split($1, word, "{") } word[1] == name { sum += $2; any = 1 } END { if (any) printf "%.0f\n", sum }' <&9
    exec 9>&-
}
