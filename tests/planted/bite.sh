#!/usr/bin/env bash
# Shows that the tests bite: plants one fault after the other and runs the tests that must find it, until one of them fails.
#
#   tests/planted/bite.sh                     every patch
#   tests/planted/bite.sh lease-deadline ...  only these
#
# README.md says for each patch which tests must fail. A patch is planted in a worktree of HEAD that is gone afterwards. The last
# lines say for each after how many runs it was found; one that is not found within 20 (MAX_RUNS) makes the exit code 1.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

max_runs=${MAX_RUNS:-20}
configuration=Release
export MSBUILDDISABLENODEREUSE=1 DOTNET_NOLOGO=1
folder=$(mktemp -d) || exit 1
export TMPDIR=$folder
trap 'git worktree remove --force "$folder/tree" 2>/dev/null; rm -rf "$folder"; git worktree prune' EXIT
trap 'exit 130' INT TERM
results=()
missed=0

# The tests that a row of README.md names, one a line.
tests_of() { sed -n "s/^| \`$1\` |.*|\(.*\)|\$/\1/p" tests/planted/README.md | grep -o '`[A-Za-z]*`' | tr -d '`'; }

# The project whose source has a test class.
project_of() { grep -rlE "class $1\b" tests/Silo.Tests tests/Silo.SystemTests --include='*.cs' | head -1 | cut -d/ -f2; }

# find_fault NAME TREE: says in which run which test fails; fails itself when none does.
find_fault() {
  local name=$1 tree=$2 tests test project run
  tests=$(tests_of "$name")
  [[ -n $tests ]] || { echo "README.md names no test for it"; return 1; }
  for project in $(for test in $tests; do project_of "$test"; done | sort -u); do
    dotnet build "$tree/tests/$project" -c "$configuration" -v quiet -nologo -p:UseSharedCompilation=false >"$folder/build" 2>&1 \
      || { tail -5 "$folder/build" >&2; echo "it does not build"; return 1; }
  done
  for ((run = 1; run <= max_runs; run++)); do
    for test in $tests; do
      project=$(project_of "$test")
      if ! "$tree/tests/$project/bin/$configuration/net10.0/$project" --filter-class "*.$test" --no-ansi --progress off \
        --results-directory "$folder/results" </dev/null >"$folder/run" 2>&1; then
        grep -q '^  failed: 0' "$folder/run" && { tail -5 "$folder/run" >&2; echo "$test did not run"; return 1; }
        echo "found in run $run by $test"
        return 0
      fi
    done
  done
  echo "NOT FOUND in $max_runs runs"
  return 1
}

names=("$@")
((${#names[@]})) || mapfile -t names < <(cd tests/planted && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
for name in "${names[@]}"; do
  printf '== %s\n' "$name"
  git worktree add --quiet --detach "$folder/tree" HEAD || exit 1
  if git -C "$folder/tree" apply "$PWD/tests/planted/$name.patch"; then
    result=$(find_fault "$name" "$folder/tree") || missed=1
  else
    result='it does not apply' missed=1
  fi
  results+=("$(printf '%-28s %s' "$name" "$result")")
  printf '%s\n' "${results[-1]}"
  git worktree remove --force "$folder/tree"
done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$missed"
