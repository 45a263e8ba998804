#!/bin/sh
# Plays a ready workload in parts, one on each host, and merges them: ssh.sh URL HOST...
# The hosts have rtmkit, and clocks that agree to a second; this machine has GNU date.
set -eu
url=$1 n=$(($# - 1)) i=0 at=$(date -u -d '+60 seconds' +%Y-%m-%dT%H:%M:%SZ) part=rtmkit-$(date -u +%Y%m%dT%H%M%S)
shift
for host; do
  ssh "$host" "rtmkit load run fanout --server '$url' --shard $i/$n --start-at $at --out $part" &
  i=$((i + 1))
done
wait # A part that is missing or not valid is named by the merge.
for host; do scp -qr "$host:$part" "$part-$host"; done
rtmkit load merge "$part"-* --out "$part"
