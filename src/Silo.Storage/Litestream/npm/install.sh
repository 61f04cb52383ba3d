#!/bin/sh
# install.sh FOLDER DESTINATION: fetches the package that FOLDER/package-lock.json pins and places its program, the file that is called
# like DESTINATION, at DESTINATION, executable.
# Every run has a folder of its own and ends with a rename, so builds that run side by side never see half a file.
set -eu

source=$(cd "$1" && pwd)
name=$(basename "$2")
mkdir -p "$(dirname "$2")"
destination=$(cd "$(dirname "$2")" && pwd)/$name
work=$(mktemp -d "$destination.XXXXXX")
trap 'cd / && rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cp "$source/package.json" "$source/package-lock.json" "$work/"
cd "$work"
# The retries are short because without a network the build must go on, not hang.
npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error \
  --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=2000

# npm passes over an optional package that does not suit this machine without a word.
binary=$(find node_modules -type f -name "$name" 2>/dev/null | head -n 1)
if [ -z "$binary" ]; then
  echo "npm brought no $name: no network, or none is published for $(uname -s) $(uname -m)" >&2
  exit 1
fi
chmod 755 "$binary"
touch "$binary"
mv -f "$binary" "$destination"
