#!/usr/bin/env bash
# Sends a payload file to crew the way GitHub does: signed, with an event name and a delivery id.
#
#   contrib/github-delivery.sh EVENT PAYLOAD.json [URL] [DELIVERY-ID]
#
# The secret is taken from GITHUB_WEBHOOK_SECRET, else from .crew/webhook-secret, which `serve` makes on a loopback
# address when none is set. Sending the same delivery id twice shows that it runs once.
set -euo pipefail

if [[ $# -lt 2 ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
event=$1 payload=$2
url=${3:-http://127.0.0.1:8765/webhook/github}
delivery=${4:-$(date +%s)-$RANDOM$RANDOM}

secret=${GITHUB_WEBHOOK_SECRET:-}
if [[ -z $secret && -r .crew/webhook-secret ]]; then
    secret=$(<.crew/webhook-secret)
fi
if [[ -z $secret ]]; then
    echo "no secret: set GITHUB_WEBHOOK_SECRET to the one the server uses" >&2
    exit 1
fi

# The key is handed over in the environment, so that it stays off the process list.
if command -v python3 >/dev/null; then
    signature=$(SECRET=$secret python3 -c '
import hashlib, hmac, os, sys
body = open(sys.argv[1], "rb").read()
print(hmac.new(os.environ["SECRET"].encode(), body, hashlib.sha256).hexdigest())' "$payload")
else
    signature=$(openssl dgst -sha256 -hmac "$secret" "$payload" | sed 's/^.*= //')
fi

curl --silent --show-error --include "$url" \
    --header 'Content-Type: application/json' \
    --header "X-GitHub-Event: $event" \
    --header "X-GitHub-Delivery: $delivery" \
    --header "X-Hub-Signature-256: sha256=$signature" \
    --data-binary "@$payload"
echo
