#!/usr/bin/env bash
# The figures of what other services share (sessions, limits, reservations), measured on this machine beside their references
# and printed as a Markdown table; see scripts/figures.sh and scripts/measure.sh. A few minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/measure.sh
source scripts/measure.sh

command -v redis-benchmark >/dev/null || fail "needs redis-benchmark, from the package redis-tools"
say "building"
"$CARGO" build --release --locked --quiet --bins --example do_nothing --example reserve_and_confirm --example jobs_rate

# The embedded Redis of the service, spoken to directly.
direct() {
    local program=$1
    shift
    REDISCLI_AUTH=$(<"$work/service/redis/password") "$program" -s "$work/service/redis/redis.sock" "$@"
}
redis_cpu_us() {
    direct redis-cli INFO cpu | tr -d '\r' | awk -F: '/^used_cpu_(user|sys):/ { sum += $2 } END { printf "%.0f", sum * 1e6 }'
}

# bare NAME COMMAND...: CPU of Redis for a command that is sent to it as the service's clients send theirs, over as many
# connections, each with one under way; µs.
bare() {
    local name=$1 before count=200000
    shift
    before=$(redis_cpu_us)
    direct redis-benchmark -a "$(<"$work/service/redis/password")" -c "$CONNECTIONS" -n "$count" -q "$@" >/dev/null 2>&1
    note "$name" "$(awk -v a="$before" -v b="$(redis_cpu_us)" -v n="$count" 'BEGIN { print (b - a) / n }')"
}

# held_against NAME NOTHING BARE: a load's CPU, and its ratio to that of a request of nothing and the bare command together.
held_against() {
    note "$1_us" "$(number total_us_per_op)"
    note "$1_service_us" "$(number service_us_per_op)"
    note "$1_redis_us" "$(number redis_us_per_op)"
    note "$1_rate" "$(number per_second)"
    ratio "$1_ratio" "$(number total_us_per_op)" "$(awk -v a="$2" -v b="$(tail -1 "$work/samples/$3")" 'BEGIN { print a + b }')"
}

# pairs NAME WAY CALLERS: reservations made and confirmed a second.
pairs() {
    local said
    said=$(target/release/examples/reserve_and_confirm "$2" "$SECONDS_EACH" "$3")
    note "$1" "$(grep -oE '^[0-9]+' <<<"$said")"
    note "$1_redis_us" "$(sed -nE 's/.*Redis ([0-9.]+).*/\1/p' <<<"$said")"
}

# run_jobs NAME WAITING PRIORITIES: jobs with an empty handler, added and run by one pool while WAITING others wait.
run_jobs() {
    local said
    said=$(target/release/examples/jobs_rate 300000 "$2" 100 "$3")
    note "$1_add" "$(sed -nE 's/^put in: ([0-9]+) .*/\1/p' <<<"$said")"
    note "$1_rate" "$(sed -nE 's/^run: ([0-9]+) .*/\1/p' <<<"$said")"
    note "$1_us" "$(sed -nE 's/^run: .* CPU a job ([0-9.]+) .*/\1/p' <<<"$said")"
    note "$1_redis_us" "$(sed -nE 's/^run: .* \+ ([0-9.]+) of Redis/\1/p' <<<"$said")"
}

# ask METHOD PATH BODY: the answer's body, of the service.
ask() {
    local address=${urls[service]#http://}
    exec 9<>"/dev/tcp/${address%:*}/${address#*:}"
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
        "$1" "$2" "${#3}" "$3" >&9
    sed '1,/^\r$/d' <&9
    exec 9>&-
}

start nothing target/release/examples/do_nothing 127.0.0.1:0
export LIMITS_POLICIES='drain=gcra:1000000/1s,burst=1000000; slide=window:1000000/1s'
serve service
token=$(ask POST /v1/sessions '{"subject":"user-123","role":"rider","data":{"locale":"de"}}' | grep -oE '"token":"[^"]+"' | cut -d'"' -f4)
[ -n "$token" ] || fail "no session"
direct redis-cli SET bare 0123456789 >/dev/null
script='return redis.call("GET", KEYS[1])'

for ((n = 1; n <= ROUNDS; n++)); do
    say "round $n of $ROUNDS"
    load nothing get --path /nothing "${common[@]}"
    get=$(number service_us_per_op)
    note get_us "$get"
    load nothing post --path /nothing "${common[@]}"
    post=$(number service_us_per_op)
    note post_us "$post"
    bare bare_get_us GET bare
    bare bare_eval_us EVAL "$script" 1 bare
    load service get --path /v1/sessions/current --header "authorization: Bearer $token" "${common[@]}"
    held_against validate "$get" bare_eval_us
    ratio validate_get_ratio "$(tail -1 "$work/samples/validate_us")" "$(awk -v a="$get" -v b="$(tail -1 "$work/samples/bare_get_us")" 'BEGIN { print a + b }')"
    for policy in drain slide; do
        load service post --path /v1/limits/check --body "{\"key\":\"login:anna\",\"policy\":\"$policy\"}" "${common[@]}"
        held_against "check_$policy" "$post" bare_eval_us
    done
done
stop service
stop nothing

# These start what they need, and have the machine to themselves.
for ((n = 1; n <= ROUNDS; n++)); do
    say "pairs and jobs, round $n of $ROUNDS"
    pairs pairs_rust rust 256
    pairs pairs_http http 256
    run_jobs jobs_few 100 1
    run_jobs jobs_many 1000000 10
done

table
beside() { printf '%s' "$(m "$1_service_us") + $(m "$1_redis_us") µs, $(m "$1_rate")/s; $2 of nothing $(m "$3") µs, a bare EVAL of a GET $(m bare_eval_us) µs, a bare GET $(m bare_get_us) µs"; }
row "a session validated over HTTP, CPU beside a GET of nothing and a bare script" "<= 2.5" "$(median validate_ratio)" " ×" "$(beside validate "a GET" get_us); $(m validate_get_ratio) × with the bare GET"
row "a gcra limit checked over HTTP, beside a POST of nothing and a bare script" "<= 2.5" "$(median check_drain_ratio)" " ×" "$(beside check_drain "a POST" post_us)"
row "the same of a sliding window" "<= 2.5" "$(median check_slide_ratio)" " ×" "$(beside check_slide "a POST" post_us)"
row "reserved and confirmed on one item, Rust API, 256 callers" ">= 40000" "$(median pairs_rust)" "/s" "Redis $(m pairs_rust_redis_us) µs a pair"
row "the same over HTTP, 256 connections" ">= 25000" "$(median pairs_http)" "/s" "Redis $(m pairs_http_redis_us) µs a pair"
row "jobs run by one pool, empty handler, 100 waiting" ">= 112000" "$(median jobs_few_rate)" "/s" "$(m jobs_few_us) µs CPU a job, $(m jobs_few_redis_us) of them Redis; put in at $(m jobs_few_add)/s"
row "the same with ten priorities and 1,000,000 waiting" ">= 75000" "$(median jobs_many_rate)" "/s" "$(m jobs_many_us) µs CPU a job, $(m jobs_many_redis_us) of them Redis; put in at $(m jobs_many_add)/s"
[ -z "$errors" ] || fail "there were errors; see above"
