#!/usr/bin/env bash
# Runs the conformance suite of MCP against the target beside this file and compares the outcome with scoreboard.txt.
#
#   tests/conformance/run.sh            fails when a scenario passes fewer checks, or fails more, than before
#   tests/conformance/run.sh --record   writes the scoreboard anew
#
# The suite is written for Node. It and a Node of its own are installed with npm into a folder outside the tree;
# CREW_CONFORMANCE names a folder that has both in `node_modules` already. Where there is no npm, or no registry, nothing
# is run and that is said; on a runner (CI=true) that has npm it is a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=0.2.0-alpha.12
node_version=22.23.3
here=tests/conformance
install="${CREW_CONFORMANCE:-${XDG_CACHE_HOME:-$HOME/.cache}/crew-conformance/$suite}"
patience=120

skip() {
    printf '\nSKIPPED: the conformance suite was NOT run: %s\n' "$1" >&2
    exit 0
}

install_suite() {
    command -v npm >/dev/null || skip 'there is no npm'
    mkdir -p "$install"
    if ! npm install --prefix "$install" --no-audit --no-fund --loglevel=error --fetch-retries=1 \
        "@modelcontextprotocol/conformance@$suite" "node@$node_version"; then
        [[ ${CI:-} == true ]] && exit 1
        skip 'npm could not install it; is the registry reachable?'
    fi
}

node="$install/node_modules/node/bin/node"
cli="$install/node_modules/@modelcontextprotocol/conformance/dist/index.js"
[[ -x $node && -f $cli ]] || install_suite

cargo build --locked --quiet --example conformance-target
work=$(mktemp -d)
"${CARGO_TARGET_DIR:-target}/debug/examples/conformance-target" >"$work/url" 2>"$work/log" &
target=$!
trap 'kill "$target" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    [[ -s $work/url ]] && break
    kill -0 "$target" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
url=$(cat "$work/url")

# The exit code says whether all scored scenarios passed; the scoreboard is stricter, so it alone decides.
run() {
    local name=$1
    shift
    mkdir -p "$work/results/$name"
    timeout "$patience" "$node" "$cli" server --url "$url" "$@" -o "$work/results/$name" >"$work/$name.log" 2>&1 || true
}

run 2025-11-25 --requirements 2025-11-25
run 2026-07-28 --requirements 2026-07-28
run 2025-06-18 --suite all --spec-version 2025-06-18
run 2025-03-26 --suite all --spec-version 2025-03-26
# Extensions are in no suite; they are run by name.
for scenario in $("$node" "$cli" list --server | sed -n 's/^ *- \(.*\) \[extension\]$/\1/p'); do
    run extensions --scenario "$scenario"
done

"$node" "$here/score.mjs" "$work/results" "$here/scoreboard.txt" "$@"
