#!/usr/bin/env bash
# Has the official clients of MCP use all that crew offers, over each transport and in each era they know, and prints what
# each of them counted. Fails when one of them fails, or when two of them do not see the same.
#
#   tests/interop/run.sh             all
#   tests/interop/run.sh ts2 sse     only the lines that have these words
#
# The clients come from PyPI and npm and are installed below ${TMPDIR:-/tmp}/crew-interop, once. Needs Python 3.10 or
# newer, and npm.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/tests/interop
install=${TMPDIR:-/tmp}/crew-interop
export NODE_MODULES=$install/node_modules
node=$NODE_MODULES/node/bin/node
patience=300

python_sdk() {
    [[ -x $install/$1/bin/python && -f $install/$1/ready-$2 ]] && return
    python3 -m venv "$install/$1"
    "$install/$1/bin/pip" install --quiet --disable-pip-version-check "mcp==$2"
    touch "$install/$1/ready-$2"
}

mkdir -p "$install"
python_sdk py1 1.26.0
python_sdk py2 2.3.0
npm install --prefix "$install" --no-audit --no-fund --loglevel=error --prefer-offline \
    node@22.23.3 @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/inspector@2.12.0

cargo build --locked --quiet --bin knowlyr-crew
crew=${CARGO_TARGET_DIR:-$PWD/target}/debug/knowlyr-crew
work=$(mktemp -d)
server= model=
end_server() {
    [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }
    server=
}
trap 'end_server; [[ -z $model ]] || kill "$model"; rm -rf "$work"' EXIT

# Waits until the file $2, written by the process $1, has an address; prints it.
address() {
    for _ in $(seq 100); do
        grep -o 'http://127.0.0.1:[0-9]*' "$2" && return
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    cat "$2" >&2
    exit 1
}

: >"$work/model"
"$node" "$here/model.mjs" >>"$work/model" &
model=$!
OPENAI_BASE_URL=$(address "$model" "$work/model")/v1
# Clients hand little of the environment on to a server they start.
crew=(env "OPENAI_BASE_URL=$OPENAI_BASE_URL" OPENAI_API_KEY=none "$crew" mcp)

# Makes the sample project anew, with a discussion.
project() {
    end_server
    rm -rf "$work/project"
    mkdir -p "$work/project"
    cp -R .crew "$work/project/.crew"
    mkdir -p "$work/project/.crew/discussions"
    cat >"$work/project/.crew/discussions/retro.yaml" <<'YAML'
name: retro
description: Looks back on a sprint
topic: What of sprint $sprint do we keep?
participants:
  - {employee: code-reviewer, role: moderator}
  - {employee: test-engineer, role: speaker}
rounds: 2
YAML
}

# Starts a server of both transports; sets url.
serve() {
    : >"$work/log"
    "${crew[@]}" -t sse --port 0 -d "$work/project" 2>>"$work/log" &
    server=$!
    url=$(address "$server" "$work/log")
}

failed=0
wanted=("$@")

# run CLIENT TRANSPORT MODE COMMAND...: one line of the table.
run() {
    local name="$1 $2 $3" transport=$2 mode=$3 target counted
    for word in "${wanted[@]}"; do
        [[ " $name " == *" $word "* ]] || return 0
    done
    shift 3
    project
    case $transport in
        stdio) target=("${crew[@]}" -d "$work/project") ;;
        http) serve; target=("$url/mcp") ;;
        sse) serve; target=("$url/sse") ;;
    esac
    if counted=$(timeout "$patience" "$@" "$transport" "$mode" "${target[@]}" 2>"$work/errors"); then
        echo "$name $counted" >>"$work/table"
    else
        echo "$name FAILED" >>"$work/table"
        printf '\n%s failed:\n' "$name" >&2
        tail -n 40 "$work/errors" >&2
        failed=1
    fi
}

echo 'client transport mode revision tools calls progress prompts resources templates completed changes errors' >"$work/table"
for transport in stdio http sse; do
    run py1 "$transport" legacy "$install/py1/bin/python" "$here/client.py"
    run ts1 "$transport" legacy "$node" "$here/client.mjs" 1
    for mode in legacy auto 2026-07-28; do
        # The newest revision has no such transport.
        [[ $transport/$mode == sse/2026-07-28 ]] && continue
        run py2 "$transport" "$mode" "$install/py2/bin/python" "$here/client.py"
        run ts2 "$transport" "$mode" "$node" "$here/client.mjs" 2
    done
    run inspector "$transport" legacy "$node" "$here/inspector.mjs"
    [[ $transport == sse ]] || run inspector "$transport" modern "$node" "$here/inspector.mjs"
done

column -t "$work/table"
if [[ $(awk 'NR > 1 && NF > 4 { print $5, $8, $9, $10 }' "$work/table" | sort -u | wc -l) -gt 1 ]]; then
    echo 'the clients do not see the same tools, prompts, resources and templates' >&2
    failed=1
fi
exit "$failed"
