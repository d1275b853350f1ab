"""Starts a program as several workers on this machine, again if one dies.

    python examples/launch_local.py --workers=2 -- \
        examples/train.py --strategy=multiworker --output=runs/two

runs the program twice with the `TF_CONFIG` of a cluster of two on 127.0.0.1.
When a worker dies the others cannot continue. All are stopped and started
again, as the supervisor of a real cluster does it, and a program that keeps a
`ResumableBackup` resumes where it was. The workers end with this program, also
if it is killed. The first worker writes to this terminal, the others to
`worker1.log` and so on in `--logs`.

    python examples/launch_local.py --workers=4 --min_workers=2 -- \
        examples/train.py --strategy=multiworker --batch_size=32 \
        --output=runs/elastic

goes on without a worker that dies again and again, as one does whose machine
or GPU is broken: one that was the first to die, and alone, in `--deaths`
starts one after the other, none of which but the first lived for `--soon`
seconds. As many of the others are started as can share a batch equally: of
three, two for a batch of 32. The backup of four workers is one of two as well,
and the batch stays that of all workers together.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("workers", 2, "Processes to start.", lower_bound=1)
flags.DEFINE_integer(
    "min_workers",
    None,
    "Go on without those that die again and again, with so many at least; by "
    "default with all.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "deaths", 2, "In a row, after which a worker is left out.", lower_bound=1
)
flags.DEFINE_float(
    "soon", 600, "Seconds within which a death follows on that before."
)
flags.DEFINE_integer("restarts", 3, "How often all workers are started again.")
flags.DEFINE_integer(
    "gpus",
    None,
    "GPUs that each worker has to itself, of those in CUDA_VISIBLE_DEVICES if "
    "it is set; by default all workers see the same.",
    lower_bound=0,
)
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


def start(command, slots, gpus, logs, watchdog, processes):
    """Starts a worker in each slot; the first is the chief."""
    # New ports each time: the old ones can be in use for minutes.
    cluster = [f"127.0.0.1:{port}" for port in free_ports(len(slots))]
    for rank, slot in enumerate(slots):
        config = {
            "cluster": {"worker": cluster},
            "task": {"type": "worker", "index": rank},
        }
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        if gpus:
            # A slot keeps its GPUs, whichever others are left out.
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[slot])
        output = open(logs / f"worker{slot}.log", "ab") if rank else None
        processes.append(
            subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                stdout=output,
                stderr=output,
            )
        )
        if output:
            output.close()
        watchdog.stdin.write(f"{processes[-1].pid}\n".encode())
        watchdog.stdin.flush()


def wait(processes, deadline):
    """The ranks that have failed, once one has or all have ended well."""
    while time.monotonic() < deadline:
        codes = [process.poll() for process in processes]
        failed = [i for i, code in enumerate(codes) if code not in (None, 0)]
        if failed:
            print(f"Workers ended with {codes}; None is running.", flush=True)
            return failed
        if None not in codes:
            return []
        time.sleep(0.2)
    print("The time is up.", flush=True)
    return list(range(len(processes)))


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


class Slots:
    """The places of workers, and which of them still get one.

    Args:
        count: Integer.
        least: Integer, with how many workers the program may go on.
        batch_size: Integer that the number of workers must divide; `None`
            where none is ever left out.
    """

    def __init__(self, count, least, batch_size):
        self._sound = list(range(count))
        self._least = least
        self._batch_size = batch_size
        self._last = None
        self._deaths = 0
        self.used = self._sound

    def died(self, ranks, seconds):
        """Takes note of who was the first to die, after how many seconds."""
        slots = [self.used[rank] for rank in ranks]
        if len(slots) > 1:
            # Not the fault of a machine.
            self._last = None
            return
        again = slots == [self._last] and seconds < FLAGS.soon
        self._deaths = self._deaths + 1 if again else 1
        (self._last,) = slots
        if self._deaths >= FLAGS.deaths and self._least < len(self._sound):
            self._leave_out(self._last)

    def _leave_out(self, slot):
        self._sound.remove(slot)
        self._last = None
        count = len(self._sound)
        while self._batch_size % count:
            count -= 1
        if count < self._least:
            sys.exit(
                f"Worker {slot} has died {self._deaths} times in a row. Of the "
                f"other {len(self._sound)}, no number from {self._least} on "
                f"divides the batch of {self._batch_size}."
            )
        self.used = self._sound[:count]
        print(
            f"Worker {slot} has died {self._deaths} times in a row. Going on "
            f"with {count}: {', '.join(map(str, self.used))}.",
            flush=True,
        )


def batch_size_of(command):
    """The `--batch_size` of the program, or `None`."""
    text = re.search(r" --?batch_size[= ](\d+)", " " + " ".join(command))
    return int(text[1]) if text else None


def slots_of(command):
    least = FLAGS.min_workers or FLAGS.workers
    if least > FLAGS.workers:
        raise app.UsageError(
            "`--min_workers` must not exceed `--workers`. Received: "
            f"--min_workers={least}, --workers={FLAGS.workers}"
        )
    if least == FLAGS.workers:
        return Slots(FLAGS.workers, least, None)
    batch_size = batch_size_of(command)
    if batch_size is None:
        raise app.UsageError(
            "`--min_workers` needs to know the batch that workers share. Give "
            "the program `--batch_size`, after `--`."
        )
    if batch_size % FLAGS.workers:
        raise app.UsageError(
            f"`--workers` must divide the batch of {batch_size}. Received: "
            f"--workers={FLAGS.workers}"
        )
    return Slots(FLAGS.workers, least, batch_size)


def gpus_of_slots():
    """Lists of GPUs, one for each slot; `None` where all see the same."""
    if FLAGS.gpus is None:
        return None
    count = FLAGS.workers * FLAGS.gpus
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        visible = [str(number) for number in range(count)]
    else:
        visible = [name.strip() for name in text.split(",") if name.strip()]
    if len(visible) < count:
        raise app.UsageError(
            f"{FLAGS.workers} workers with {FLAGS.gpus} GPUs each need "
            f"{count}. Received: CUDA_VISIBLE_DEVICES={text}"
        )
    return [
        visible[slot * FLAGS.gpus : (slot + 1) * FLAGS.gpus]
        for slot in range(FLAGS.workers)
    ]


def main(argv):
    command = argv[1:]
    if not command:
        raise app.UsageError("Name the program to start, after `--`.")
    slots = slots_of(command)
    gpus = gpus_of_slots()
    end_on_signals()
    logs = pathlib.Path(FLAGS.logs)
    logs.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + (FLAGS.timeout or float("inf"))
    for attempt in range(FLAGS.restarts + 1):
        if attempt:
            print(f"Restart {attempt} of {FLAGS.restarts}.", flush=True)
        watchdog = start_watchdog()
        processes = []
        begun = time.monotonic()
        try:
            start(command, slots.used, gpus, logs, watchdog, processes)
            failed = wait(processes, deadline)
        finally:
            stop(processes)
            watchdog.kill()
            watchdog.wait()
        if not failed:
            return
        if time.monotonic() >= deadline:
            break
        slots.died(failed, time.monotonic() - begun)
    sys.exit("The workers did not finish.")


if __name__ == "__main__":
    app.run(main)
