#!/usr/bin/env bash
# The figures of tracking, measured on this machine beside their references and printed as a Markdown table: every figure is
# the median of several rounds, and every ratio is taken within a round. `make figures` runs it; about twenty minutes with its builds, on a
# machine that should have nothing else to do.
#
# Besides what scripts/measure.sh reads from the environment:
#
#   MANY=1000000   the size of the larger fleet
#   SKIP_BENCH=1   leaves the in-process figures out, which need a build of their own
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/measure.sh
source scripts/measure.sh

criterion=()
if [ -n "${QUICK:-}" ]; then criterion=(--warm-up-time 0.2 --measurement-time 0.5 --sample-size 10); fi
MANY=${MANY:-1000000}
FEW=100000

say "building"
"$CARGO" build --release --locked --quiet --bins --example do_nothing --example raw_redis

# get_beside SERVER SIZE: nearby beside a GET of nothing.
get_beside() {
    load nothing get --path /nothing "${common[@]}"
    local nothing
    nothing=$(number service_us_per_op)
    note get_us "$nothing"
    load "$1" nearby "${common[@]}"
    note "nearby_us_$2" "$(number service_us_per_op)"
    note "nearby_rate_$2" "$(number per_second)"
    ratio "nearby_ratio_$2" "$(number service_us_per_op)" "$nothing"
}

round() {
    local post post_rate raw_tcp raw_unix raw_64 raw_member
    get_beside few few
    load nothing post --path /nothing "${common[@]}"
    post=$(number service_us_per_op) post_rate=$(number per_second)
    note post_us "$post"
    note post_rate "$post_rate"
    # A reference's JSON has one object a measurement; each is looked at alone.
    local all
    all=$(target/release/examples/raw_redis "$(awk -v s="$SECONDS_EACH" 'BEGIN { print s / 2 }')")
    of_raw() { report=$(grep -oE "\"$1\":\{[^}]*\}" <<<"$all"); number "$2"; }
    raw_tcp=$(of_raw tcp p50_us) raw_unix=$(of_raw unix p50_us)
    raw_64=$(of_raw unix_64 redis_us_per_op) raw_member=$(of_raw geoadd_500 redis_us_per_op)
    note raw_tcp_us "$raw_tcp"
    note raw_unix_us "$raw_unix"
    note raw_64_us "$raw_64"
    note raw_1_us "$(of_raw unix redis_us_per_op)"
    note raw_64_rate "$(of_raw unix_64 per_second)"
    note raw_member_us "$raw_member"

    load few ingest "${common[@]}"
    note ingest_us "$(number total_us_per_op)"
    note ingest_service_us "$(number service_us_per_op)"
    note ingest_redis_us "$(number redis_us_per_op)"
    note ingest_rate "$(number per_second)"
    ratio ingest_ratio "$(number total_us_per_op)" "$post"
    ratio ingest_rate_ratio "$(number per_second)" "$post_rate"
    load few batch --connections 8 --duration "${SECONDS_EACH}s"
    note batch_us "$(number total_us_per_op)"
    note batch_service_us "$(number service_us_per_op)"
    note batch_redis_us "$(number redis_us_per_op)"
    note batch_rate "$(number per_second)"
    ratio batch_ratio "$(number total_us_per_op)" "$raw_64"
    load few mix --baseline "${common[@]}"
    note kept "$(awk -v kept="$(number kept)" 'BEGIN { print 100 * kept }')"
    load few ingest --connections 1 --duration "${SECONDS_EACH}s"
    note alone_us "$(number p50_us)"
    ratio alone_tcp_ratio "$(number p50_us)" "$raw_tcp"
    ratio alone_unix_ratio "$(number p50_us)" "$raw_unix"
}

start nothing target/release/examples/do_nothing 127.0.0.1:0
serve few
load few ingest --preload --entities "$FEW" --duration 1s
for ((n = 1; n <= ROUNDS; n++)); do
    say "round $n of $ROUNDS, $FEW drivers"
    round
done
stop few
rm -rf "$work/few"

say "$MANY drivers"
serve many
load many ingest --preload --entities "$MANY" --duration 100ms
for ((n = 1; n <= ROUNDS; n++)); do get_beside many many; done
stop nothing
note rss_mb "$(($(metric many process_resident_memory_bytes) / 1000000))"
live=$(metric many fleetpulse_live_bytes)
if [ "${live:-0}" -gt 0 ]; then note live_bytes "$(awk -v b="$live" -v n="$MANY" 'BEGIN { print b / n }')"; fi
for ((n = 1; n <= (ROUNDS + 1) / 2; n++)); do
    say "restart $n"
    stop many
    begun=$EPOCHREALTIME
    serve many
    note start_s "$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')"
    loaded=$(sed -E 's/\x1b\[[0-9;]*m//g' "$work/many.log" | sed -nE 's/.*live index is loaded.*entities=([0-9]+).*/\1/p' | tail -1)
    [ "$loaded" = "$MANY" ] || { say "warning: ready with ${loaded:-no} drivers, not $MANY"; errors=yes; }
    note rss_restarted_mb "$(($(metric many process_resident_memory_bytes) / 1000000))"
done
stop many

if [ -z "${SKIP_BENCH:-}" ]; then
    say "in the process"
    "$CARGO" bench --locked --quiet --bench geosearch -- "${criterion[@]}" >"$work/bench.txt"
    "$CARGO" bench --locked --quiet --workspace --bench live_index -- "${criterion[@]}" '^(nearby/naive|update)/' >>"$work/bench.txt"
fi
# bench NAME PER: a bench's time, µs, for one of PER.
bench() {
    [ -f "$work/bench.txt" ] || { echo -; return; }
    tr '\n' ' ' <"$work/bench.txt" | sed -E 's/\]/]\n/g' |
        awk -v name="$1" -v per="$2" '
            { for (i = 1; i <= NF; i++) if ($i == name) for (j = i; j <= NF; j++) if ($j == "time:") {
                unit = $(j + 4); us = unit == "ns" ? 0.001 : unit == "ms" ? 1000 : unit == "s" ? 1e6 : 1
                printf "%.3g\n", $(j + 3) * us / per; exit } }'
}

table
row "nearby over HTTP, server CPU, 100k drivers" "<= 2" "$(median nearby_ratio_few)" " ×" "$(m nearby_us_few) µs, $(m nearby_rate_few)/s; a GET of nothing $(m get_us) µs"
row "the same, $MANY drivers" "<= 2.5" "$(median nearby_ratio_many)" " ×" "$(m nearby_us_many) µs, $(m nearby_rate_many)/s"
row "nearby in the process, 100k" "<= 5" "$(bench nearby/live/100k 1)" " µs" "scan $(bench nearby/naive/100k 1) µs, GEOSEARCH $(bench nearby/redis/100k 1) µs"
row "nearby in the process, 1M" "<= 10" "$(bench nearby/live/1M 1)" " µs" "GEOSEARCH $(bench nearby/redis/1M 1) µs"
row "an update in the process, 100k" "<= 1" "$(bench update/live/100k 32)" " µs" "at 1M $(bench update/live/1M 32) µs"
row "one fix per POST, CPU of service + Redis" "<= 16" "$(median ingest_us)" " µs" "$(m ingest_service_us) + $(m ingest_redis_us) µs; $(m ingest_ratio) × a POST of nothing ($(m post_us) µs); raw Redis alone $(m raw_64_us) µs at depth 64, $(m raw_1_us) µs at 1"
row "one fix per POST, rate" ">= 80000" "$(median ingest_rate)" "/s" "$(m ingest_rate_ratio) × a POST of nothing ($(m post_rate)/s)"
row "batches of 500, CPU of service + Redis, a fix" "<= 7" "$(median batch_us)" " µs" "$(m batch_service_us) + $(m batch_redis_us) µs; $(m batch_ratio) × raw Redis at depth 64; a GEOADD member $(m raw_member_us) µs"
row "batches of 500, rate" ">= 200000" "$(median batch_rate)" "/s" "raw Redis at depth 64 $(m raw_64_rate)/s"
row "writes kept while 4 connections query" ">= 60" "$(median kept)" " %" "of their rate alone"
row "one client, no load: POST to answer, over TCP" "<= 1.5" "$(median alone_tcp_ratio)" " ×" "$(m alone_us) µs; raw Redis over TCP $(m raw_tcp_us) µs"
row "the same beside a Unix socket" "<= 1.5" "$(median alone_unix_ratio)" " ×" "raw Redis over a Unix socket $(m raw_unix_us) µs"
row "live index, an entity" "<= 200" "$(median live_bytes)" " B" "by its containers' capacities, $MANY drivers"
row "all of the service, $MANY drivers" "<= 350" "$(median rss_mb)" " MB" "resident; after a restart $(m rss_restarted_mb) MB"
row "start with $MANY positions in Redis to ready" "<= 10" "$(median start_s)" " s" "from launch, the append-only file's loading included"
[ -z "$errors" ] || fail "there were errors; see above"
