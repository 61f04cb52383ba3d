#!/bin/sh
# run-silo COMMAND...: runs a silo in a container, and lets its Litestreams finish if it dies.
#
# When process 1 ends, the kernel kills whatever else runs in the container. A silo that stops in order has ended its Litestreams by
# then. One that crashed has not: each of them does a last upload, a second or two, and that is what other silos will go on from.
set -u

LINGER_SECONDS=${LINGER_SECONDS:-15}
LINGER_FOR=${LINGER_FOR:-litestream}

# A signal may come before the silo has started; it gets each one once.
silo= early=
pass_on() {
  if [ -n "$silo" ]; then kill -TERM "$silo" 2>/dev/null; else early=yes; fi
}
trap pass_on TERM INT
"$@" &
silo=$!
[ -z "$early" ] || kill -TERM "$silo" 2>/dev/null

# A signal that is passed on ends a wait early; and one that comes while the silo ends hides its code from that wait, not from the next.
while :; do
  wait "$silo"
  code=$?
  kill -0 "$silo" 2>/dev/null || break
done
wait "$silo"
again=$?
[ "$again" = 127 ] || code=$again

left=$LINGER_SECONDS
while [ "$left" -gt 0 ] && pgrep -x "$LINGER_FOR" >/dev/null; do
  left=$((left - 1))
  sleep 1
done
exit "$code"
