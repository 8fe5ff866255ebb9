#!/usr/bin/env bash
# Has crew ask another implementation of the dialects of models: the proxy of litellm, with answers it makes up. Prints a
# row for each dialect, whole and streamed; fails when an answer is not the one that was made up, or its tokens are missing.
#
#   tests/interop/providers.sh
#
# litellm comes from PyPI and is installed below ${TMPDIR:-/tmp}/crew-interop, once. Needs Python 3.10 or newer.
set -euo pipefail
cd "$(dirname "$0")/../.."

install=${CREW_LITELLM:-${TMPDIR:-/tmp}/crew-interop/litellm}
if [[ ! -x $install/bin/litellm ]]; then
    python3 -m venv "$install"
    "$install/bin/pip" install --quiet --disable-pip-version-check 'litellm[proxy]'
fi
if [[ -z ${CREW_BIN:-} ]]; then
    cargo build --locked --quiet --bin knowlyr-crew
    CREW_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/knowlyr-crew
fi

work=$(mktemp -d)
proxy=
trap '[[ -z $proxy ]] || kill "$proxy" 2>/dev/null; rm -rf "$work"' EXIT
said='Hello，世界 🦀!'
{
    echo "model_list:"
    for model in openai/gpt-4o openai/o3-pro anthropic/claude-sonnet-4-5 deepseek/deepseek-chat; do
        echo "  - {model_name: ${model#*/}, litellm_params: {model: $model, api_key: none, mock_response: \"$said\"}}"
    done
    echo "general_settings: {master_key: sk-interop-key}"
} >"$work/litellm.yaml"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
LITELLM_LOCAL_MODEL_COST_MAP=True "$install/bin/litellm" --config "$work/litellm.yaml" --host 127.0.0.1 --port "$port" >"$work/log" 2>&1 &
proxy=$!
for _ in $(seq 600); do
    curl -fs "http://127.0.0.1:$port/health/liveliness" >/dev/null && break
    kill -0 "$proxy" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.2
done

mkdir -p "$work/project/.crew/employees"
printf -- '---\nname: poet\ndescription: Greets\n---\n\nSay hello.\n' >"$work/project/.crew/employees/poet.md"
url=http://127.0.0.1:$port
export OPENAI_BASE_URL=$url/v1 ANTHROPIC_BASE_URL=$url DEEPSEEK_BASE_URL=$url/v1
export OPENAI_API_KEY=sk-interop-key ANTHROPIC_API_KEY=sk-interop-key DEEPSEEK_API_KEY=sk-interop-key

failed=0
row() {
    local model=$1 path=$2 form=$3 flags=() answer note
    [[ $form == streamed ]] || flags=(--no-stream)
    if answer=$("$CREW_BIN" -d "$work/project" run poet --execute --model "$model" "${flags[@]}" 2>"$work/note") && [[ $answer == "$said" ]]; then
        note=$(tail -1 "$work/note")
        [[ $note == *" out"* && $note != *" 0 tokens in"* ]] || note="no tokens: $note"
    else
        note="FAILED: $answer $(tr '\n' ' ' <"$work/note")"
    fi
    [[ $note != FAILED* && $note != "no tokens"* ]] || failed=1
    printf '%-22s %-24s %-9s %s\n' "$path" "$model" "$form" "$note"
}
for form in whole streamed; do
    row claude-sonnet-4-5 /v1/messages "$form"
    row gpt-4o /v1/chat/completions "$form"
    row deepseek-chat /v1/chat/completions "$form"
    # What it makes up of responses it cannot stream: it answers 500.
    [[ $form == streamed ]] || row o3-pro /v1/responses "$form"
done
exit "$failed"
