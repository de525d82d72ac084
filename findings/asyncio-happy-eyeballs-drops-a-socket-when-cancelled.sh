#!/bin/sh
# asyncio of CPython 3.11.7, 3.12.1 and 3.13.0: a connection attempt with happy_eyeballs_delay that is cancelled just when its
# socket has connected leaves that socket open, until the garbage collector finds it. The same attempt without the option
# closes its socket whenever it is cancelled.
#
# What one would expect: an attempt that is given up (asyncio.timeout, a task group that ends) leaves nothing behind, and an
# option that only says when the next address is tried changes nothing about that. Between the moment at which the race has a
# winner and the moment at which the caller has its stream, nobody closes what was won. The other side has an established
# connection meanwhile, and a client that opens many with a deadline meets its limit of descriptors or of connections.
#
# Seen, cancelled after 0 to 11 turns of the loop, one address, a server in the same process:
#   without happy_eyeballs_delay: 0 of 12 attempts left a socket open
#   with happy_eyeballs_delay: 7 of 12 (3.11.7), 5 of 12 (3.12.1, 3.13.0)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/cancelled.py" <<'PYTHON'
import asyncio
import gc
import sys
import warnings

ATTEMPTS = 12
left = []


async def attempts(options):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for turns in range(ATTEMPTS):
        task = asyncio.create_task(asyncio.open_connection("127.0.0.1", port, **options))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            _, writer = await task
            writer.close()
        except asyncio.CancelledError:
            pass
        del task
        for _ in range(20):
            await asyncio.sleep(0)
        gc.collect()
    server.close()


def run(options):
    left.clear()
    asyncio.run(attempts(options))
    return sum("unclosed <socket" in text for text in left)


warnings.simplefilter("always", ResourceWarning)
warnings.showwarning = lambda message, *_, **__: left.append(str(message))
plain, raced = run({}), run({"happy_eyeballs_delay": 0.25})
print(f"Python {sys.version.split()[0]}")
print(f"without happy_eyeballs_delay: {plain} of {ATTEMPTS} attempts left a socket open")
print(f"with happy_eyeballs_delay: {raced} of {ATTEMPTS}")
assert plain == 0
assert raced >= 3
PYTHON
python3 "$folder/cancelled.py"
