#!/usr/bin/env bash
# The one command: checks and tests everything on a machine that has the .NET 10 SDK, Node.js with npm and apt.
#
#   tests/run.sh                            everything
#   tests/run.sh --fast                     without the system tests
#   tests/run.sh --filter-class '*Head*'    other arguments go to the test programs (Silo.Tests --help lists them)
#
# The last line is "N passed, N failed, N skipped" over all test projects. A stage that fails (build, format) and a test
# program that dies count as one failure each. With CI=true a skipped test fails the run.
set -uo pipefail

# Tests may need more of the machine: one line "command apt-package" each. A package is installed only if its command is missing.
packages='
git git
npm npm
pkill procps
setsid util-linux
faketime faketime
pg_lsclusters postgresql
caddy caddy
prometheus prometheus
chromium chromium
'
# Fast tests first: what they find makes the rest not worth waiting for.
projects='Silo.Tests Silo.SystemTests'
configuration=Release
# What hangs is cut off; a busy machine is not. At the first limit a test program asks its tests to stop, and at the second it is
# killed, for a test may hang where it does not hear of that.
time_limit_per_project=25m
kill_after=27m
named_after=480 # seconds: a test that takes longer is named while it runs; the longest takes five minutes

passed=0 failed=0 skipped=0
session= # of the command that is waited for
beside=  # of the one that runs meanwhile

say() { printf '\n== %s\n' "$*"; }

fail() {
  failed=$((failed + 1))
  printf 'FAILED: %s\n' "$*" >&2
}

install_missing() {
  local missing='' command package
  while read -r command package; do
    [[ -z $command ]] || command -v "$command" >/dev/null || missing+=" $package"
  done <<<"$packages"
  [[ -n $missing ]] || return 0
  say "apt:$missing"
  local sudo=''
  [[ $(id -u) == 0 ]] || sudo=sudo
  # A package that brings a service must not start it, now or at the next boot: Debian asks this program, and what it enables is undone.
  local policy=/usr/sbin/policy-rc.d code=0
  [[ -e $policy ]] && policy=
  [[ -z $policy ]] || printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin "$policy"
  # shellcheck disable=SC2086 # the list is words
  $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null || code=$?
  [[ -z $policy ]] || $sudo rm -f "$policy"
  [[ $missing != *prometheus* ]] || $sudo systemctl disable --quiet prometheus.service 2>/dev/null || true
  return "$code"
}

# stage NAME COMMAND...: runs the command and says how long it took.
stage() {
  local name=$1 begun=$SECONDS
  shift
  say "$name"
  if "$@"; then
    printf '%s: %s s\n' "$name" $((SECONDS - begun))
  else
    fail "$name"
    return 1
  fi
}

# end_session ID: everything that a command started is in its session, whoever its parent is by now.
end_session() {
  [[ -n $1 ]] || return 0
  local left
  left=$(pgrep -a -s "$1" | grep -v '<defunct>$') && printf 'Still running, now killed:\n%s\n' "$left"
  pkill -KILL -s "$1"
  wait "$1" 2>/dev/null # Bash would report the death of a job.
}

# in_session COMMAND...: runs it so that an interrupt of this script ends all that it started.
in_session() {
  setsid "$@" </dev/null &
  session=$!
  wait "$session"
  local code=$?
  end_session "$session"
  session=
  return "$code"
}

# begin_beside COMMAND...: the same, but nobody waits for it, and what it says is kept.
begin_beside() {
  setsid "$@" </dev/null >"$TMPDIR/beside" 2>&1 &
  beside=$!
}

# finish_beside: waits for it, says what it said, and returns its exit code.
finish_beside() {
  wait "$beside"
  local code=$?
  cat "$TMPDIR/beside"
  end_session "$beside"
  beside=
  return "$code"
}

# dotnet format leaves its socket in /tmp whatever TMPDIR says; one that is ours and that nobody listens on any more can go.
remove_dead_sockets() {
  local socket
  for socket in /tmp/????????-????-????-????-????????????; do
    [[ -S $socket && -O $socket && $socket -nt $TMPDIR/begun ]] || continue
    grep -qF "$socket" /proc/net/unix || rm -f "$socket"
  done
}

# count EXIT_CODE REPORT: adds the totals of a test program's report (TRX).
count() {
  local code=$1 report=$2 counters='' total ok bad
  [[ -f $report ]] && counters=$(grep -o '<Counters [^>]*' "$report")
  total=$(counter total "$counters") ok=$(counter passed "$counters") bad=$(counter failed "$counters")
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + total - ok - bad))
  # 8 is "no test matched", which is no failure of one project. Otherwise a code without a failed test is a host that died.
  if [[ $code != 0 && $code != 8 && $bad == 0 ]]; then
    fail "the test program ended with exit code $code, and its report tells of no failed test"
  elif [[ $code == 0 && -z $counters ]]; then
    fail "the test program left no report"
  fi
}

counter() { [[ $2 =~ (^|\ )$1=\"([0-9]+)\" ]] && echo "${BASH_REMATCH[2]}" || echo 0; }

# run_tests PROGRAM REPORT_FOLDER ARGUMENTS...
run_tests() {
  local program=$1 folder=$2 name ansi=auto
  name=$(basename "$program")
  shift 2
  [[ -t 1 ]] || ansi=off
  in_session timeout --signal=KILL "$kill_after" "$program" --results-directory "$folder" --report-xunit-trx --report-xunit-trx-filename "$name.trx" \
    --timeout "$time_limit_per_project" --xunit-diagnostics on --long-running "$named_after" --ansi "$ansi" --progress off \
    --show-stdout Failed --show-stderr Failed --print-max-enumerable-length 50 --print-max-string-length 1000 "$@"
  local code=$?
  count "$code" "$folder/$name.trx"
}

# summary: the last line, and the exit code.
summary() {
  local code=0
  ((failed == 0)) || code=1
  ((passed + failed + skipped > 0)) || { echo 'No test ran.' >&2; code=1; }
  [[ ${CI:-} != true ]] || ((skipped == 0)) || { echo 'A test was skipped, which CI does not allow.' >&2; code=1; }
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  return "$code"
}

build() {
  # The compiler server would outlive us, and saves two seconds. (`dotnet build` says every error twice.)
  in_session dotnet msbuild Silo.sln -property:Configuration="$configuration" -maxcpucount -nologo -verbosity:quiet -tl:off -clp:NoSummary \
    -warnaserror -property:UseSharedCompilation=false
}

main() {
  if [[ ${1:-} == --fast ]]; then
    projects=Silo.Tests
    shift
  fi
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
  command -v dotnet >/dev/null || { echo 'Install the .NET SDK that global.json names.' >&2; return 1; }

  # What the tools and the tests leave behind goes with this folder.
  TMPDIR=$(mktemp -d) || return 1
  export TMPDIR MSBUILDDISABLENODEREUSE=1 DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
  touch "$TMPDIR/begun"
  trap 'end_session "$session"; end_session "$beside"; remove_dead_sockets; rm -rf "$TMPDIR"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  local reports=$PWD/artifacts/tests project begun
  rm -rf "$reports"
  if stage packages install_missing \
    && stage restore in_session dotnet restore Silo.sln --locked-mode --nologo --verbosity quiet --tl:off \
    && stage build build; then
    begin_beside dotnet format Silo.sln --verify-no-changes --no-restore
    for project in $projects; do
      say "$project"
      begun=$SECONDS
      run_tests "tests/$project/bin/$configuration/net10.0/$project" "$reports" "$@"
      printf '%s: %s s\n' "$project" $((SECONDS - begun))
    done
    stage format finish_beside
  fi
  echo
  summary
}

# Sourced, it only lends its functions (TestRunTests does that).
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
