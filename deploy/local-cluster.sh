#!/usr/bin/env bash
# A cluster of plain processes on this machine: silos, gateways, a bucket emulator, and SQLite or PostgreSQL to find each other.
#
#   deploy/local-cluster.sh up [--silos 3] [--gateways 2] [--postgres] [--no-build]
#                                                                        builds and starts it; ports are chosen by the system
#   deploy/local-cluster.sh status                                       every process: number, pid, address, memory
#   deploy/local-cluster.sh kill N                                       kill -9 of silo N
#   deploy/local-cluster.sh stop N                                       SIGTERM of silo N: it puts its databases away and leaves
#   deploy/local-cluster.sh start N                                      silo N again, or one more
#   deploy/local-cluster.sh down                                         stops everything in order; the data stays
#
# Everything is kept in data/local-cluster (another folder: SILO_CLUSTER_DATA): logs/, the bucket, the files of each silo. More
# settings for every silo and gateway go into SILO_CLUSTER_SETTINGS, as --Section:Key=value, separated by spaces. --postgres runs an
# instance of its own of an installed PostgreSQL (Debian: apt-get install postgresql).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

data=$(realpath -m "${SILO_CLUSTER_DATA:-data/local-cluster}")
configuration=Release
read -ra settings <<<"${SILO_CLUSTER_SETTINGS:-}"
export GCS_BUCKET_NAME=silo

die() { printf '%s\n' "$*" >&2; exit 1; }

# field FILE NAME: a value of a ready file.
field() { sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$1"; }

program() { echo "$PWD/src/$1/bin/$configuration/net10.0/$1"; }

# started PID: when it was, in ticks since the machine was (proc(5), field 22; the name before it may have spaces); nothing if it is not there.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# pid_of NAME: that of its process, even if it has ended since.
pid_of() { cut -d ' ' -f 1 "$data/run/$1.pid"; }

# A pid alone may be a stranger's: the files outlive a restart of the machine.
is_running() {
  local pid start
  [[ -f $data/run/$1.pid ]] && read -r pid start <"$data/run/$1.pid" && [[ -n $start && $(started "$pid") == "$start" ]]
}

# launch NAME COMMAND...: starts it in a session of its own; its output goes to logs/NAME.log.
launch() {
  local name=$1
  shift
  is_running "$name" && die "$name runs already."
  rm -f "$data/run/$name.json"
  # Interactive shells' background jobs ignore SIGINT, and children inherit that.
  setsid env --default-signal=INT "$@" </dev/null >>"$data/logs/$name.log" 2>&1 &
  echo "$! $(started $!)" >"$data/run/$name.pid"
}

# serves NAME: waits until it says that it serves.
serves() {
  local name=$1
  until [[ -f $data/run/$name.json ]]; do
    is_running "$name" || { tail -n 20 "$data/logs/$name.log" >&2; die "$name ended instead of serving; see $data/logs/$name.log."; }
    sleep 0.1 # the ready file is all that there is to wait for
  done
}

start_bucket() {
  launch bucket "$(program Silo.GcsEmulator)" --port "$(saved bucket-port 0)" --data "$data/bucket" --bucket silo --ready-file "$data/run/bucket.json"
  serves bucket
  local url
  url=$(field "$data/run/bucket.json" bucketUrl)
  save bucket-port "${url##*:}"
}

postgres_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

# PostgreSQL refuses to run as root.
as_postgres() {
  if [[ $(id -u) == 0 ]]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}

start_postgres() {
  local bin port folder=$data/postgres
  bin=$(postgres_bin)
  [[ -n $bin ]] || die 'PostgreSQL is not installed: apt-get install postgresql'
  if [[ ! -d $folder ]]; then
    install -d -m 0700 "$folder"
    [[ $(id -u) != 0 ]] || chown postgres: "$folder"
    as_postgres "$bin/initdb" --pgdata="$folder" --auth=trust --username=silo --encoding=UTF8 --locale=C >"$data/logs/initdb.log" 2>&1 \
      || { tail -n 5 "$data/logs/initdb.log" >&2; die "PostgreSQL's folder could not be made; the user postgres must reach $folder."; }
  fi
  port=$(saved postgres-port "$(free_port)")
  save postgres-port "$port"
  is_running postgres && return
  if [[ $(id -u) == 0 ]]; then
    launch postgres setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$folder" -p "$port" -h 127.0.0.1 -c unix_socket_directories=
  else
    launch postgres "$bin/postgres" -D "$folder" -p "$port" -h 127.0.0.1 -c unix_socket_directories=
  fi
  until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
    is_running postgres || { tail -n 5 "$data/logs/postgres.log" >&2; die 'PostgreSQL ended instead of serving.'; }
    sleep 0.1
  done
  "$bin/psql" -h 127.0.0.1 -p "$port" -U silo -d postgres -qtAc "SELECT 1 FROM pg_database WHERE datname = 'silo'" | grep -q 1 \
    || "$bin/createdb" -h 127.0.0.1 -p "$port" -U silo silo
}

free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }

save() { printf '%s\n' "$2" >"$data/$1"; }

saved() { if [[ -f $data/$1 ]]; then cat "$data/$1"; else printf '%s\n' "$2"; fi; }

# What silos and gateways are both told.
cluster_settings() {
  if [[ $(saved provider sqlite) == postgres ]]; then
    printf '%s\n' --Clustering:Provider=Postgres --Clustering:AdvertisedAddress=127.0.0.1 \
      "--ConnectionStrings:Cluster=Host=127.0.0.1;Port=$(saved postgres-port 0);Database=silo;Username=silo"
  else
    printf '%s\n' --Clustering:Provider=Sqlite "--ConnectionStrings:Cluster=$data/cluster.db"
  fi
  printf '%s\n' --Clustering:ClusterId=local
}

launch_silo() {
  local number=$1 catalog=$data/cluster.db common
  mapfile -t common < <(cluster_settings)
  [[ $(saved provider sqlite) != postgres ]] || catalog="Host=127.0.0.1;Port=$(saved postgres-port 0);Database=silo;Username=silo"
  STORAGE_EMULATOR_HOST=127.0.0.1:$(saved bucket-port 0) launch "silo-$number" "$(program Silo.Cluster)" --silo-port 0 --gateway-port 0 \
    "${common[@]}" "--ConnectionStrings:Catalog=$catalog" "--Database:DataDirectory=$data/silo-$number" "${settings[@]}" --ready-file "$data/run/silo-$number.json"
}

launch_gateway() {
  local number=$1 common
  mapfile -t common < <(cluster_settings)
  STORAGE_EMULATOR_HOST=127.0.0.1:$(saved bucket-port 0) Auth__SigningKey=$(<"$data/signing-key") launch "gateway-$number" "$(program Silo.Gateway)" \
    --urls "http://127.0.0.1:$(saved "gateway-$number.port" 0)" "${common[@]}" "${settings[@]}" --ready-file "$data/run/gateway-$number.json"
}

# token PAYLOAD: a token for one day (HS256), as the gateways' signing key makes it valid.
token() {
  node -e '
    const [key, claims] = process.argv.slice(1), c = require("crypto"), b = o => Buffer.from(JSON.stringify(o)).toString("base64url");
    const head = b({alg: "HS256", typ: "JWT"}) + "." + b({...JSON.parse(claims), exp: Math.floor(Date.now() / 1000) + 86400});
    console.log(head + "." + c.createHmac("sha256", Buffer.from(key, "base64")).update(head).digest("base64url"))' "$(<"$data/signing-key")" "$1"
}

names() { ls "$data/run" 2>/dev/null | sed -n 's/\.pid$//p' | sort -V; }

up() {
  local silos=3 gateways=2 build=yes provider i name url
  provider=$(saved provider sqlite)
  while (($#)); do
    case $1 in
      --silos) silos=${2:?} && shift 2 ;;
      --gateways) gateways=${2:?} && shift 2 ;;
      --postgres) provider=postgres && shift ;;
      --no-build) build='' && shift ;;
      *) die "Unknown option $1; see the head of ${BASH_SOURCE[0]}." ;;
    esac
  done
  for name in $(names); do is_running "$name" && die "$name runs; first: deploy/local-cluster.sh down"; done
  install -d -m 0700 "$data"
  [[ $(id -u) != 0 || $provider != postgres ]] || chmod 0711 "$data"
  mkdir -p "$data/logs" "$data/run"
  save provider "$provider"
  [[ -f $data/signing-key ]] || (umask 077 && node -e 'console.log(require("crypto").randomBytes(32).toString("base64"))' >"$data/signing-key")
  [[ -z $build ]] || echo 'Building ...'
  for name in Silo.GcsEmulator Silo.Cluster Silo.Gateway; do
    [[ -z $build ]] || dotnet build "src/$name" -c "$configuration" -v quiet -nologo -clp:NoSummary || die 'The build failed.'
    [[ -x $(program "$name") ]] || die "$(program "$name") is missing: leave out --no-build."
  done
  start_bucket
  [[ $provider != postgres ]] || start_postgres
  for ((i = 1; i <= gateways; i++)); do launch_gateway "$i"; done # one may start before its cluster
  for ((i = 1; i <= silos; i++)); do launch_silo "$i"; done
  for ((i = 1; i <= silos; i++)); do serves "silo-$i"; done
  for ((i = 1; i <= gateways; i++)); do
    serves "gateway-$i"
    url=$(field "$data/run/gateway-$i.json" url)
    save "gateway-$i.port" "${url##*:}"
    until node -e 'fetch(process.argv[1]).then(a => process.exit(a.ok ? 0 : 1), () => process.exit(1))' "$url/health/ready"; do
      is_running "gateway-$i" || die "gateway-$i ended; see $data/logs/gateway-$i.log."
      sleep 0.2
    done
  done
  url=$(field "$data/run/gateway-1.json" url)
  node -e '
    const [url, token] = process.argv.slice(1);
    fetch(url + "/api/admin/organizations", {method: "POST", headers: {authorization: "Bearer " + token, "content-type": "application/json"},
      body: JSON.stringify({id: "demo", name: "Demo", dbType: "sqlite"})}).then(a => process.exit(a.status === 201 || a.status === 409 ? 0 : 1))' \
    "$url" "$(token '{"sub":"operator","role":"admin"}')" || die 'The organization demo could not be made.'
  status
  cat <<END

Tokens for one day:
  export TOKEN=$(token '{"sub":"demo-user","org":"demo","role":"member"}')
  export ADMIN=$(token '{"sub":"operator","role":"admin"}')

Try:
  curl -X POST $url/api/contacts -H "Authorization: Bearer \$TOKEN" -H 'Content-Type: application/json' -d '{"name":"Ada"}'
  curl $url/api/admin/databases -H "Authorization: Bearer \$ADMIN"
  deploy/local-cluster.sh kill 1
END
}

status() {
  local name pid state address memory
  printf '%-12s %-8s %-8s %10s  %s\n' process state pid 'memory MB' address
  for name in $(names); do
    pid=$(pid_of "$name")
    if is_running "$name"; then
      state=runs memory=$(awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$pid/status")
    else
      state=ended memory=-
    fi
    address=-
    [[ ! -f $data/run/$name.json ]] || address=$(field "$data/run/$name.json" url)
    [[ $name != bucket ]] || address=$(field "$data/run/bucket.json" bucketUrl)
    [[ $name != postgres ]] || address=127.0.0.1:$(saved postgres-port -)
    printf '%-12s %-8s %-8s %10s  %s\n' "$name" "$state" "$pid" "$memory" "${address:--}"
  done
  echo "Logs: $data/logs"
}

# ends NAME SIGNAL: sends it and waits for the end.
ends() {
  local name=$1 pid
  is_running "$name" || die "$name does not run."
  pid=$(pid_of "$name")
  kill "-$2" "$pid"
  while is_running "$name"; do sleep 0.1; done
  echo "$name ended."
}

down() {
  local name
  [[ -n $(names) ]] || die "Nothing was started with the data folder $data."
  # Gateways first, so that nobody asks any more; the bucket last, because what is put away goes there.
  for name in $(names | grep gateway) $(names | grep silo); do
    is_running "$name" && kill -TERM "$(pid_of "$name")"
  done
  for name in $(names | grep gateway) $(names | grep silo); do
    while is_running "$name"; do sleep 0.1; done
  done
  for name in bucket postgres; do
    if is_running "$name"; then ends "$name" INT >/dev/null; fi
  done
  rm -rf "$data/run"
  echo 'All processes ended.'
}

case ${1:-} in
  up) shift && up "$@" ;;
  status) status ;;
  kill) ends "silo-${2:?Which silo?}" KILL ;;
  stop) ends "silo-${2:?Which silo?}" TERM ;;
  start) launch_silo "${2:?Which silo?}" && serves "silo-$2" && echo "silo-$2 serves." ;;
  down) down ;;
  *) sed -n '2,/^set /{ /^#/s/^# \{0,1\}//p }' "${BASH_SOURCE[0]}" && [[ ${1:-} == --help ]] ;;
esac
