"""A recorder whose worker never ends by itself: run as a module, it starts one, and leaves at once."""

import os
from multiprocessing import get_context
from threading import Event

from predsurv.collect.worker_process import begin_worker


def work() -> None:
    """Begin, say so, and wait for ever."""
    begin_worker(0)
    os.write(1, b"begun\n")
    Event().wait()


if __name__ == "__main__":
    get_context("spawn").Process(target=work, daemon=True).start()
    os.read(0, 1)
    os._exit(130)
