#!/usr/bin/env bash
# Checks a running service against its OpenAPI document with requests that schemathesis generates from it: no answer may be undocumented,
# and none a 5xx. The tools are installed into a virtual environment, target/api-check.
#   EXAMPLES=20   generated requests for each call
#   SEED=1        seed of the generated requests
#   OFFLINE=DIR   take the packages from the wheels in this folder
set -euo pipefail
cd "$(dirname "$0")/.."

environment=target/api-check
packages=(schemathesis==4.32.5 openapi-spec-validator==0.9.0)

if ! command -v python3 >/dev/null; then
    echo "api-check needs python3 (with venv and pip); install it, or run the tests under tests/it/openapi instead" >&2
    exit 1
fi
if [[ ! -x $environment/bin/schemathesis ]]; then
    python3 -m venv "$environment"
    source=()
    [[ -z ${OFFLINE:-} ]] || source=(--no-index --find-links "$OFFLINE")
    if ! "$environment/bin/pip" install --quiet --disable-pip-version-check "${source[@]}" "${packages[@]}"; then
        rm -rf "$environment"
        echo "the packages cannot be installed; without a network fetch them elsewhere with" >&2
        echo "    pip download -d DIR ${packages[*]}" >&2
        echo "and run: make api-check OFFLINE=DIR" >&2
        exit 1
    fi
fi

${CARGO:-cargo} build --locked
# shellcheck source=scripts/service.sh
. scripts/service.sh
start service target/debug/fleetpulse serve --bind 127.0.0.1:0 --data-dir "$work/data" --lame-duck 0 --drain 1 \
    --cache-listing-token 0123456789abcdef0123456789abcdef
url=${urls[service]}
until target/debug/fleetpulse check --url "$url" --path /health/ready 2>/dev/null; do sleep 0.1; done

"$environment/bin/python" - "$url" <<'PYTHON'
import json, sys, urllib.request
from openapi_spec_validator import OpenAPIV31SpecValidator

document = json.load(urllib.request.urlopen(sys.argv[1] + "/openapi.json"))
for fault in OpenAPIV31SpecValidator(document).iter_errors():
    sys.exit(f"the document is not OpenAPI 3.1: {fault}")
print("the document is OpenAPI 3.1")
PYTHON

token=$("$environment/bin/python" - "$url" <<'PYTHON'
import json, sys, urllib.request

body = json.dumps({"subject": "api-check"}).encode()
request = urllib.request.Request(sys.argv[1] + "/v1/sessions", body, {"Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request))["token"])
PYTHON
)
# schemathesis writes files into the folder in which it runs.
scripts=$PWD/scripts
cd "$environment"
PYTHONPATH=$scripts SCHEMATHESIS_HOOKS=api_check_hooks bin/schemathesis run "$url/openapi.json" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-20}" --header "Authorization: Bearer $token" \
    --warnings off --generation-database none --seed "${SEED:-1}"
