"""Stands for `srun` and `scontrol`, with tasks that are processes here.

Linked under both names in a folder of `PATH`. Each call is written to `calls`
in that folder. `srun` starts its tasks with the variables that Slurm sets; when
the file `BREAK_WHEN` names exists, it kills them all, as Slurm does when a
machine fails.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time


def srun(arguments):
    options = [a for a in arguments if a.startswith("--")]
    at = next(i for i, a in enumerate(arguments) if not a.startswith("--"))
    (count,) = (
        int(o.partition("=")[2]) for o in options if o.startswith("--ntasks=")
    )
    step = {
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": str(count),
        "SLURM_NODEID": "0",
    }
    # The port that a job's number gives can be in use by another test.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tasks = [
        subprocess.Popen(
            [*arguments[at:], *([f"--port={port}"] if count > 1 else [])],
            env={
                **os.environ,
                **step,
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
            },
        )
        for rank in range(count)
    ]
    sign = os.environ.get("BREAK_WHEN")
    codes = [None] * count
    while None in codes:
        time.sleep(0.05)
        codes = [task.poll() for task in tasks]
        broken = sign and pathlib.Path(sign).exists()
        if broken or any(codes):
            for task in tasks:
                task.kill()
                task.wait()
            return next(filter(None, codes), 1)
    return 0


if __name__ == "__main__":
    name = pathlib.Path(sys.argv[0]).name
    with open(pathlib.Path(sys.argv[0]).parent / "calls", "a") as calls:
        print(json.dumps([name, *sys.argv[1:]]), file=calls)
    sys.exit(srun(sys.argv[1:]) if name == "srun" else 0)
