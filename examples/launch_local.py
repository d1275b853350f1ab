"""Starts a program as several workers on this machine, again if one dies.

    python examples/launch_local.py --workers=2 -- \
        examples/train.py --strategy=multiworker --output=runs/two

runs the program twice with the `TF_CONFIG` of a cluster of two on 127.0.0.1.
When a worker dies the others cannot go on; all are stopped and started again,
as the supervisor of a real cluster does, and a program that keeps a
`ResumableBackup` goes on where it was. The first worker writes to this
terminal, the others to `worker1.log` and so on in `--logs`.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("workers", 2, "Processes to start.")
flags.DEFINE_integer("restarts", 3, "How often all are started again.")
flags.DEFINE_integer("gpus", 0, "GPUs that each worker sees.")
flags.DEFINE_float("timeout", None, "Seconds after which all are stopped.")
flags.DEFINE_string("logs", "runs/logs", "Folder of the workers' output.")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(command, logs):
    # New ports each time: the old ones can be in use for minutes.
    cluster = [f"127.0.0.1:{port}" for port in free_ports(FLAGS.workers)]
    processes = []
    for rank in range(FLAGS.workers):
        config = {
            "cluster": {"worker": cluster},
            "task": {"type": "worker", "index": rank},
        }
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        if FLAGS.gpus:
            first = rank * FLAGS.gpus
            own = range(first, first + FLAGS.gpus)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, own))
        output = open(logs / f"worker{rank}.log", "ab") if rank else None
        processes.append(
            subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                stdout=output,
                stderr=output,
            )
        )
    return processes


def wait(processes, deadline):
    """Whether all have ended well; returns as soon as one has not."""
    while time.monotonic() < deadline:
        codes = [process.poll() for process in processes]
        if any(code not in (None, 0) for code in codes):
            print(f"Workers ended with {codes}; None is running.", flush=True)
            return False
        if None not in codes:
            return True
        time.sleep(0.2)
    print("The time is up.", flush=True)
    return False


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(argv):
    command = argv[1:]
    if not command:
        raise app.UsageError("Name the program to start, after `--`.")
    # Ends in `stop`, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = pathlib.Path(FLAGS.logs)
    logs.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + (FLAGS.timeout or float("inf"))
    for attempt in range(FLAGS.restarts + 1):
        if attempt:
            print(f"Restart {attempt} of {FLAGS.restarts}.", flush=True)
        processes = start(command, logs)
        try:
            if wait(processes, deadline):
                return
        finally:
            stop(processes)
        if time.monotonic() >= deadline:
            break
    sys.exit("The workers did not finish.")


if __name__ == "__main__":
    app.run(main)
