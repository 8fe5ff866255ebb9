#!/usr/bin/env bash
# Sends all example deliveries of @octokit/webhooks-examples to `serve`, and one of them again and again; see webhooks.mjs.
#
#   tests/interop/webhooks.sh [REDELIVERIES]      10000, unless given
#
# The package comes from npm and is installed below ${TMPDIR:-/tmp}/crew-interop, once. Needs Node.js 18 or newer.
set -euo pipefail
cd "$(dirname "$0")/../.."

install=${TMPDIR:-/tmp}/crew-interop/webhooks
npm install --prefix "$install" --no-audit --no-fund --loglevel=error --prefer-offline @octokit/webhooks-examples@7.6.1
cargo build --locked --quiet --bin knowlyr-crew
NODE_MODULES=$install/node_modules node tests/interop/webhooks.mjs \
    "${CARGO_TARGET_DIR:-$PWD/target}/debug/knowlyr-crew" "${1:-10000}"
