"""What every worker process of a recording begins with: it makes way for the recording, and never outlives it."""

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def begin_worker(niceness: int) -> None:
    """Leave Ctrl-C to the recorder, add ``niceness`` to the nice value, and end, as a kill would, when it has gone.

    A recorder that leaves at once, or is killed, ends nobody itself: its next run would share the venue's request limit
    with a scan that nobody waits for, and whoever reads its stderr would wait for the end of that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole process group
    os.nice(niceness)
    Thread(target=_end_with_recorder, name="recorder", daemon=True).start()


def _end_with_recorder() -> None:
    recorder = parent_process()
    if recorder is not None:
        recorder.join()
        os._exit(1)
