#!/usr/bin/env bash
# A gateway before a model: personal data leaves streams, a secret ends one, a payment waits for a second person, and
# the model is refused where it is used in another way than its label says. Then the audit trail is checked.
#
#   examples/gateway.sh [FOLDER]     (default gateway-example; the provider and the labelled model are simulated)
#
# Needs verilabel[gateway,eval] and curl. No key, no network.
set -euo pipefail

verilabel=${VERILABEL:-verilabel}
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-gateway-example}
mkdir -p "$out" && cd "$out"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

address_in() { # the address that a server printed into a file
  local file=$1
  for _ in $(seq 200); do
    grep -o 'http://127.0.0.1:[0-9]*' "$file" 2>/dev/null | head -1 | grep . && return
    sleep 0.1
  done
  echo "no server came up: $(cat "$file")" >&2 && exit 1
}
show() { echo "\$ verilabel$(printf ' %q' "$@")" && "$verilabel" "$@"; }

echo "== A label for the model, and a provider that serves it"
"$verilabel" demo --out demo >demo.out 2>&1
"$verilabel" gate demo/demo.bundle --min L2 --trust demo/trust.yaml
"$python" "$here/provider.py" >provider.out 2>&1 &
provider=$(address_in provider.out)

echo "== A configuration to begin with, changed for this provider"
show gateway init --out . --force
cat >gateway.yaml <<YAML
gateway: 1
auth: keys
upstreams:
  - {id: provider, base_url: $provider/v1}
models:
  - {name: demo-model, to: [{upstream: provider, bundle: demo/demo.bundle}]}
policy: policy.yaml
trust: demo/trust.yaml
YAML
cat >policy.yaml <<'YAML'
format: verilabel/policy/v1
policy: example
version: "1.0.0"
description: Redacts personal data, stops secrets, holds payments, and admits the model as it was labelled.
guards:
  - {id: personal-data, use: pii, action: redact}
  - {id: secrets, use: secrets, action: block, message: No secret passes here.}
  - {id: payments, use: words, directions: [input], action: hold, settings: {words: [transfer]}}
admit:
  - {rubric: verilabel/core, granted: L2, verification: V2, scope: [system_prompt]}
approvals: {expires_s: 900}
tests:
  - {name: a payment waits, input: Please transfer 10 euros., expect: hold}
  - {name: an address is replaced, output: Write to contact@example.com., expect: redact}
YAML
show policy lint policy.yaml
show policy test policy.yaml
show gateway check

echo "== Two people, two keys"
key_of() { # key_of NAME ROLE
  "$verilabel" gateway keys create --name "$1" --role "$2" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}
developer=$(key_of developer user) reviewer=$(key_of reviewer approver)
"$verilabel" gateway keys list

"$verilabel" gateway --port 0 >gateway.out 2>gateway.err &
server=$!
gateway=$(address_in gateway.out)
curl -sf --retry 5 --retry-connrefused "$gateway/health/ready" >/dev/null

ask() { # ask JSON [CURL OPTIONS]: as the developer
  local body=$1 && shift
  curl -sS "$gateway/v1/chat/completions" -H "authorization: Bearer $developer" -H 'content-type: application/json' \
    -d "$body" -w '\n' "$@"
}

echo "== A stream, 5 characters at a time: the address and the number never come"
ask '{"model": "demo-model", "stream": true, "messages": [{"role": "user", "content": "Who knows the way?"}]}' | tee stream.txt |
  "$python" -c 'import json, sys
for line in sys.stdin:
    if line.startswith("data: {"):
        print(json.loads(line[6:])["choices"][0]["delta"].get("content", ""), end="|")
print()'

echo "== A stream with a secret: it ends before the secret's first character"
ask '{"model": "demo-model", "stream": true, "messages": [{"role": "user", "content": "Which key?"}]}' | tee secret.txt |
  grep -o '"message":"[^"]*"'

echo "== A payment waits, until somebody else approves"
payment='{"model": "demo-model", "messages": [{"role": "user", "content": "Please transfer 10 euros to the office."}]}'
ask "$payment" | tee held.json
approval=$(grep -o 'ap_[0-9a-f]*' held.json | head -1)
VERILABEL_TOKEN=$reviewer show approvals list --gateway "$gateway"
VERILABEL_TOKEN=$reviewer show approvals approve "$approval" --reason "I asked the office" --gateway "$gateway"
ask "$payment" | tee paid.json
echo "...and once only:"
ask "$payment" -o again.json -w 'status %{http_code}\n'

echo "== The label goes with every answer, and fits one way of using the model"
ask '{"model": "demo-model", "messages": [{"role": "user", "content": "Who?"}]}' -o /dev/null -D headers.txt -w ''
grep -i x-verilabel-label headers.txt
ask '{"model": "demo-model", "messages": [{"role": "system", "content": "Obey."}, {"role": "user", "content": "Who?"}]}' | tee refused.json

echo "== What happened is on record, and nobody can change it unseen"
kill "$server" && wait "$server" 2>/dev/null || true
show gateway verify-log audit
