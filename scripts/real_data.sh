#!/usr/bin/env bash
# Real recordings through the real service: scripts/real_data.sh DIR
#
# DIR holds nyc_uber_pickups.csv.gz (100,000 places in New York) and swiss_aircraft.csv.gz (139,098 fixes of 842 craft);
# fixtures/README.md names their sources. All of New York goes in as drivers, then nearby answers are compared with brute
# force by the geo crate; the craft are replayed as fast as it goes, then the last position of each is requested.
#   QUERIES=3000  how many nearby answers are checked
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CARGO=${CARGO:-cargo}

# shellcheck source=scripts/service.sh
source scripts/service.sh
for file in nyc_uber_pickups.csv.gz swiss_aircraft.csv.gz; do
    [ -r "$data/$file" ] || fail "$data/$file is not there"
done

say "building"
"$CARGO" build --release --locked --quiet --bins --example verify_nearby
start service target/release/fleetpulse serve --bind 127.0.0.1:0 --data-dir "$work/data" --ttl 3600
await_ready service
url=${urls[service]}
status=0

echo "New York as drivers:"
target/release/fleetpulse simulate --url "$url" --kind drivers --replay "$data/nyc_uber_pickups.csv.gz" --as-fast --ttl 3600s --verify || status=1
target/release/examples/verify_nearby "$url" "$data/nyc_uber_pickups.csv.gz" "${QUERIES:-3000}" || status=1
echo
echo "Craft over Switzerland as vehicles:"
target/release/fleetpulse simulate --url "$url" --kind vehicles --replay "$data/swiss_aircraft.csv.gz" --as-fast --ttl 3600s --verify || status=1
exit $status
