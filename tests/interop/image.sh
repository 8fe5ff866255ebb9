#!/usr/bin/env bash
# The steps of contrib/docker/Dockerfile as plain commands, where there is no Docker: builds the static program, puts it into
# a root that holds nothing else, starts it there as the image does and as its user, and asks what its health check asks.
#
#   tests/interop/image.sh [PROGRAM]      builds for the musl target of this machine unless a static program is given
#
# Needs root (chroot), wget, and for the build the target and musl-gcc. Prints a line for each thing tried.
set -uo pipefail
cd "$(dirname "$0")/../.."
image=contrib/docker/Dockerfile target=$(uname -m)-unknown-linux-musl
said() { sed -n "s/^$1 //p" "$image" | tail -n 1; }
words() { python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)))'; }
failed=0
check() { if [ "$2" = "$3" ]; then echo "ok    $1"; else echo "WRONG $1: $2, not $3"; failed=1; fi; }

program=${1:-}
if [ -z "$program" ]; then
    build=$(grep -o 'cargo build [^&]*' "$image")
    export "CC_${target//-/_}=musl-gcc"
    $build --target "$target" || exit 1
    program=${CARGO_TARGET_DIR:-target}/$target/release/knowlyr-crew
fi
check "the program needs no library" "$(ldd "$program" 2>&1 | grep -c '=>')" 0

root=$(mktemp -d)
chmod 755 "$root"
pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null; wait 2>/dev/null; rm -rf "$root"' EXIT
mkdir -p "$root/usr/local/bin" "$root/project" "$root/tmp"
cp "$program" "$root/usr/local/bin/knowlyr-crew"
cp -r .crew "$root/project/.crew"
user=$(grep -o 'adduser -S -u [0-9]*' "$image" | grep -o '[0-9]*$')
chown -R "$user:$user" "$root/project"
run=(chroot --userspec="$user:$user" "$root" /usr/local/bin/knowlyr-crew)
mapfile -t command < <(said CMD | words)
cd /

# Not on all addresses of this machine, and on a port that is free.
for i in "${!command[@]}"; do
    case ${command[i]} in 0.0.0.0) command[i]=127.0.0.1 ;; 8765) command[i]=0 ;; esac
done
check "the version" "$("${run[@]}" --version | grep -c '^knowlyr-crew [0-9]')" 1
refused=$("${run[@]}" serve --host 0.0.0.0 --port 0 --project-dir /project 2>&1)
check "all addresses want a token" "$? $(grep -c CREW_API_TOKEN <<<"$refused")" "1 1"
export CREW_API_TOKEN=0123456789abcdef0123456789abcdef
"${run[@]}" "${command[@]}" 2>"$root/log" &
pid=$!
for _ in $(seq 100); do grep -q ' listens on ' "$root/log" && break; sleep 0.1; done
url=$(grep -o 'http://[0-9.:]*' "$root/log" | head -n 1)
probe=$(grep -o 'CMD wget .*' "$OLDPWD/$image" | sed -e 's/^CMD //' -e "s#http://127.0.0.1:8765#$url#")
check "the health check" "$($probe && echo healthy)" healthy
check "who it is" "$(ps -o uid= -p "$pid" | tr -d ' ')" "$user"
ask() { wget -q -O - --header "authorization: Bearer $CREW_API_TOKEN" "$@"; }
run=$(ask --header 'content-type: application/json' --post-data '{"args":{"target":"src"},"sync":true}' "$url/run/employee/code-reviewer")
check "a run" "$(grep -c '"status":"completed"' <<<"$run")" 1
check "it is kept" "$(grep -c finished "$root/project/.crew/tasks.jsonl")" 1
kill -s "$(cd "$OLDPWD" && said STOPSIGNAL)" "$pid"
wait "$pid"
check "it ends when it is told to" "$?" 0
pid=
exit "$failed"
