#!/usr/bin/env bash
# A long run of the fault harness: everything that can go wrong, at random, seed after seed.
#
#   tests/soak.sh --minutes 60             from a random seed
#   tests/soak.sh --minutes 60 --seed 7    the same schedules again
#
# It tells every round as it ends, and at the end rounds, faults by kind, writes acknowledged, lost (0), local ones lost with
# lost machines, zombie writes acknowledged or restored (0), takeover times and seeds. It ends at the first broken promise.
set -euo pipefail

minutes=10 seed=$RANDOM
while (($#)); do
  case $1 in
    --minutes) minutes=$2 ;;
    --seed) seed=$2 ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
dotnet build tests/Silo.SystemTests -c Release -v quiet -nologo -p:UseSharedCompilation=false

SILO_SOAK_REPORT=$(mktemp)
export SILO_SOAK_REPORT SILO_SOAK_MINUTES=$minutes SILO_TEST_SEED=$seed
tail -f "$SILO_SOAK_REPORT" &
reader=$!
trap 'kill $reader 2>/dev/null; rm -f "$SILO_SOAK_REPORT"' EXIT

code=0
tests/Silo.SystemTests/bin/Release/net10.0/Silo.SystemTests --filter-class '*.RandomMixTests' --progress off --no-ansi >"$SILO_SOAK_REPORT.out" 2>&1 || code=$?
((code == 0)) || cat "$SILO_SOAK_REPORT.out"
rm -f "$SILO_SOAK_REPORT.out"
exit "$code"
