#!/bin/sh
# install.sh DESTINATION: fetches the Litestream of package-lock.json and places it at DESTINATION, executable.
# Every run has a folder of its own and ends with a rename, so builds that run side by side never see half a file.
set -eu

source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$1")"
destination=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d "$destination.XXXXXX")
trap 'cd / && rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cp "$source/package.json" "$source/package-lock.json" "$work/"
cd "$work"
# The retries are short because without a network the build must go on, not hang.
npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error \
  --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=2000

# npm passes over an optional package that does not suit this machine without a word.
binary=$(find node_modules/@flydotio -type f -name litestream 2>/dev/null | head -n 1)
if [ -z "$binary" ]; then
  echo "npm brought no Litestream: no network, or none is published for $(uname -s) $(uname -m)" >&2
  exit 1
fi
chmod 755 "$binary"
touch "$binary"
mv -f "$binary" "$destination"
