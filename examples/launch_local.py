"""Starts a program as several workers on this machine, again if one dies.

    python examples/launch_local.py --workers=2 -- \
        examples/train.py --strategy=multiworker --output=runs/two

runs the program twice with the `TF_CONFIG` of a cluster of two on 127.0.0.1.
When a worker dies the others cannot continue. All are stopped and started
again, as the supervisor of a real cluster does it, and a program that keeps a
`ResumableBackup` resumes where it was. The workers end with this program, also
if it is killed. The first worker writes to this terminal, the others to
`worker1.log` and so on in `--logs`.
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
flags.DEFINE_integer("restarts", 3, "How often all workers are started again.")
flags.DEFINE_integer("gpus", 0, "GPUs that each worker sees.")
flags.DEFINE_float(
    "timeout", None, "Seconds after which all workers are stopped."
)
flags.DEFINE_string("logs", "runs/logs", "Folder of the workers' output.")

# Reads the workers' process ids until the launcher closes the pipe, which the
# system does for a launcher that was killed and could end no worker itself.
WATCHDOG = """
import os
import signal
import sys

for worker in sys.stdin.read().split():
    try:
        os.kill(int(worker), getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_watchdog():
    return subprocess.Popen(
        [sys.executable, "-c", WATCHDOG],
        stdin=subprocess.PIPE,
        # What the terminal sends to all of its processes does not reach it.
        start_new_session=True,
    )


def start(command, logs, watchdog, processes):
    # New ports each time: the old ones can be in use for minutes.
    cluster = [f"127.0.0.1:{port}" for port in free_ports(FLAGS.workers)]
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
        watchdog.stdin.write(f"{processes[-1].pid}\n".encode())
        watchdog.stdin.flush()


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


def end_on_signals():
    """Makes signals that end a program end in `stop`, as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` ignores SIGHUP for this program.
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def main(argv):
    command = argv[1:]
    if not command:
        raise app.UsageError("Name the program to start, after `--`.")
    end_on_signals()
    logs = pathlib.Path(FLAGS.logs)
    logs.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + (FLAGS.timeout or float("inf"))
    for attempt in range(FLAGS.restarts + 1):
        if attempt:
            print(f"Restart {attempt} of {FLAGS.restarts}.", flush=True)
        watchdog = start_watchdog()
        processes = []
        try:
            start(command, logs, watchdog, processes)
            if wait(processes, deadline):
                return
        finally:
            stop(processes)
            watchdog.kill()
            watchdog.wait()
        if time.monotonic() >= deadline:
            break
    sys.exit("The workers did not finish.")


if __name__ == "__main__":
    app.run(main)
