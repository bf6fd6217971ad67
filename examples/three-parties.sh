#!/usr/bin/env bash
# A labels a system and logs it under a witness; B asks the same system again and signs a replication; C disputes it.
# A reader who names A, B, C, the log and the witness in a trust policy then finds: V3 replicated, disputed.
#
#   examples/three-parties.sh [FOLDER]     (default three-parties; the model is built in and simulated)
set -euo pipefail

verilabel=${VERILABEL:-verilabel}
out=${1:-three-parties}
mkdir -p "$out" && cd "$out"
model=(--model "simulated:rate=0.01,refusal=0.04,accuracy=0.93,seed=1" --name example-assistant --rubric core)
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

as() { # as PARTY COMMAND...: every party has a home of its own, with its own keys
  local party=$1 && shift
  echo "+ $party: verilabel $*"
  VERILABEL_HOME=$PWD/home-$party "$verilabel" "$@"
}
quietly() { as "$@" >/dev/null; }
address_in() { # the address that a server printed into a file
  local file=$1
  for _ in $(seq 100); do
    grep -om1 'http://127.0.0.1:[0-9]*' "$file" 2>/dev/null && return
    sleep 0.1
  done
  echo "no server came up: $(cat "$file")" >&2 && exit 1
}

echo "== A log, and a witness that knows its key"
quietly keeper keys new --name log.example.org
quietly witness keys new --name witness.example.net
VERILABEL_HOME=$PWD/home-keeper "$verilabel" log key --log log --origin log.example.org >log.vkey
as witness witness key --key witness.example.net | tail -1 >witness.vkey
VERILABEL_HOME=$PWD/home-witness "$verilabel" witness serve --key witness.example.net --log-key log.vkey \
  --state witness-state --port 0 >witness.out 2>&1 &
witness=$(address_in witness.out)
VERILABEL_HOME=$PWD/home-keeper "$verilabel" log serve --log log --port 0 --witness "$witness=$(cat witness.vkey)" >log.out 2>&1 &
log=$(address_in log.out)

for party in a b c; do quietly $party keys new --name $party.example.org; done

echo "== A labels"
as a label "${model[@]}" --design fixed --seed a --key a.example.org --log "$log" --log-key log.vkey --out a.bundle --quiet

echo "== B asks again, with a seed and a key of its own, and signs what the comparison found"
as b label "${model[@]}" --design fixed --seed b --key b.example.org --log "$log" --log-key log.vkey --out b.bundle --quiet
as b replicate a.bundle b.bundle --margin 0.07 --key b.example.org --log "$log" --log-key log.vkey --out replication.json \
  --independence "Another account and another seed; nobody at A paid for this run or saw it first."

echo "== C disputes"
as c dispute a.bundle --key c.example.org --log "$log" --log-key log.vkey --ground method --row harm.direct \
  --text "The suite is in English alone; the label says en-US, and its users do not." --out dispute.json

echo "== Whoever publishes A's bundle encloses what others signed"
as a statements attach a.bundle replication.json dispute.json

echo "== A reader names whose signature counts for what"
vkey() { VERILABEL_HOME=$PWD/home-$1 "$verilabel" keys export "$1.example.org"; }
cat >trust.yaml <<YAML
format: verilabel/trust/v1
witness_quorum: 1
accept:
  any:
    - {key: "$(vkey a)", name: A, roles: [labels]}
    - {key: "$(vkey b)", name: B, roles: [labels, replications]}
    - {key: "$(vkey c)", name: C, roles: [disputes]}
    - {key: "$(cat log.vkey)", name: The log, roles: [log]}
    - {key: "$(cat witness.vkey)", name: The witness, roles: [witness]}
YAML
as reader verify a.bundle --trust trust.yaml --replica b.bundle
as reader log audit "$log" --log-key log.vkey --peer "$witness"
as reader gate a.bundle --min L1 --verification V3 --trust trust.yaml
