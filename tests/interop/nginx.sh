#!/usr/bin/env bash
# A server behind nginx as contrib/nginx/crew.conf sets it up: TLS, addresses of clients, limits, streams. Needs nginx,
# openssl and curl, and a built program; listens on 127.0.0.1 only. Prints a line for each thing tried.
#
#   tests/interop/nginx.sh target/debug/knowlyr-crew
set -uo pipefail
cd "$(dirname "$0")/../.."
crew=$(realpath "${1:-target/debug/knowlyr-crew}")
for tool in nginx openssl curl python3; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 0; }
done
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"' EXIT
failed=0
check() { if [ "$2" = "$3" ]; then echo "ok    $1"; else echo "WRONG $1: $2, not $3"; failed=1; fi; }
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
inner=$(port) plain=$(port) tls=$(port)

cp -r .crew "$work/project"; mkdir -p "$work/root"; mv "$work/project" "$work/root/.crew"
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=crew.example.com -addext subjectAltName=DNS:crew.example.com \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
{
    echo "daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log; events {} http { access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$kind;"; done
    sed -e "s/127\.0\.0\.1:8765/127.0.0.1:$inner/" -e "s/listen 80;/listen 127.0.0.1:$plain;/" -e '/listen \[::\]/d' \
        -e "s/listen 443 ssl/listen 127.0.0.1:$tls ssl/" -e "s#/etc/ssl/crew/fullchain.pem#$work/cert.pem#" \
        -e "s#/etc/ssl/crew/privkey.pem#$work/key.pem#" contrib/nginx/crew.conf
    echo "}"
} >"$work/nginx.conf"
export CREW_API_TOKEN=0123456789abcdef0123456789abcdef GITHUB_WEBHOOK_SECRET=secret
"$crew" serve --port "$inner" -d "$work/root" --allow-host crew.example.com --trusted-proxy 127.0.0.1 --rate-limit 0 \
    2>"$work/crew.log" & pids+=($!)
nginx -t -q -c "$work/nginx.conf" || exit 1
echo "ok    nginx takes the site"
nginx -c "$work/nginx.conf" & pids+=($!)
ask() { curl -s --cacert "$work/cert.pem" --resolve "crew.example.com:$tls:127.0.0.1" "$@"; }
site=https://crew.example.com:$tls
for _ in $(seq 100); do ask -o /dev/null "$site/health" && break; sleep 0.1; done

check "health over TLS" "$(ask "$site/health")" '{"status":"ok","service":"crew-webhook"}'
check "plain HTTP leads to TLS" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$plain/health")" 308
check "HSTS" "$(ask -o /dev/null -D - "$site/health" | grep -ci '^strict-transport-security')" 1
check "no token, no answer" "$(ask -o /dev/null -w '%{http_code}' "$site/tasks")" 401
token="authorization: Bearer $CREW_API_TOKEN"
check "with the token" "$(ask -o /dev/null -w '%{http_code}' -H "$token" "$site/tasks")" 200
head -c 1100000 /dev/zero | tr '\0' a >"$work/large"
check "a body over 1 MiB" "$(ask -o /dev/null -w '%{http_code}' -H "$token" --data-binary "@$work/large" "$site/run/employee/x")" 413
run='{"args":{"target":"src"},"stream":true}'
stream=$(ask -N -H "$token" -H 'content-type: application/json' -d "$run" "$site/run/employee/code-reviewer")
check "words of a stream come to their end" "$(grep -c '^event: done' <<<"$stream")" 1
id=$(ask -H "$token" -H 'content-type: application/json' -d '{"args":{"target":"src"}}' "$site/run/pipeline/full-review" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["task_id"])')
events=$(ask -N --max-time 20 -H "$token" "$site/tasks/$id/events" || true)
check "events of a task come through" "$(grep -c '^event: status' <<<"$events" | sed 's/[1-9][0-9]*/some/')" some
# A stream that stays open: what is in it by now has to be here before it ends.
meta='{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"curl","version":"8"},"io.modelcontextprotocol/clientCapabilities":{}}'
listen='{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":'$meta'}}'
open=$(ask -N --max-time 3 -H "$token" -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \
    -H 'mcp-protocol-version: 2026-07-28' -H 'mcp-method: subscriptions/listen' -d "$listen" "$site/mcp" || true)
check "what an open stream holds is not kept back" "$(grep -c '^data: {' <<<"$open" | sed 's/[1-9][0-9]*/some/')" some
echo '{"ref":"refs/heads/main","after":"1a2b","head_commit":{"message":"Tea"}}' >"$work/push.json"
signed=sha256=$(openssl dgst -sha256 -hmac "$GITHUB_WEBHOOK_SECRET" "$work/push.json" | sed 's/^.*= //')
deliver() {
    ask -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -H 'x-github-event: push' -H 'x-github-delivery: one' \
        -H "x-hub-signature-256: $1" --data-binary "@$work/push.json" "$site/webhook/github"
}
check "a signed delivery is taken" "$(deliver "$signed")" 202
check "one with a wrong signature is not" "$(deliver "${signed/%?/x}")" 401
ask -o /dev/null -H "$token" -H 'x-forwarded-for: 203.0.113.9' "$site/tasks"
check "nobody writes their own address" "$(grep -c '203\.0\.113\.9' "$work/crew.log" || true)" 0
busy=$(ask -Z --no-progress-meter --parallel-max 30 -o /dev/null -w '%{http_code}\n' -H "$token" "$site/api/employees?[1-300]" | sort | uniq -c | tr -s ' \n' ' ')
check "too many requests are held off" "$(grep -c ' 429' <<<"$busy")" 1
exit "$failed"
