# Sourced by the interop scripts: starts `logdyno serve` on free ports in a temporary folder and stops it by process id.
# LOGDYNO names the binary (default: the release build of this checkout).
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGDYNO=${LOGDYNO:-$here/target/release/logdyno}
work=$(mktemp -d "${TMPDIR:-/tmp}/logdyno-interop.XXXXXX")
servers=()
passed=0 failed=0 skipped=0

# serve NAME ARGS…: starts a server; its addresses (one a line) go to $work/NAME.out. Sets $address to all, joined by commas.
serve() {
    local name=$1; shift
    "$LOGDYNO" serve --listen 127.0.0.1:0 "$@" >"$work/$name.out" 2>"$work/$name.err" &
    server=$!
    servers+=("$server")
    local brokers=1 arg previous=
    for arg in "$@"; do
        [ "$previous" = --brokers ] && brokers=$arg
        previous=$arg
    done
    for _ in $(seq 300); do
        [ "$(grep -c '^listening ' "$work/$name.out")" -ge "$brokers" ] && break
        kill -0 "$server" 2>/dev/null || { echo "serve $* ended early:"; cat "$work/$name.err"; return 1; }
        sleep 0.1
    done
    address=$(sed -n 's/^listening //p' "$work/$name.out" | paste -sd,)
    [ -n "$address" ] || { echo "serve $* said no address in 30 s:"; cat "$work/$name.err"; return 1; }
}

# stop: ends the newest server cleanly and waits for it.
stop() {
    kill -TERM "$server" && wait "$server"
}

pass() { passed=$((passed + 1)); echo "ok    $*"; }
fail() { failed=$((failed + 1)); echo "FAIL  $*"; }
skip() { skipped=$((skipped + 1)); echo "SKIP  $*"; }

finish() {
    local server
    for server in "${servers[@]}"; do kill -TERM "$server" 2>/dev/null && wait "$server"; done
    rm -rf "$work"
}
trap finish EXIT

summary() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

# Backends that this machine can run, one a line.
backends() { "$LOGDYNO" doctor --json | python3 -c 'import json,sys
for b in json.load(sys.stdin)["backends"]:
    if b["runs"]: print(b["name"])'; }
