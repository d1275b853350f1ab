"""What Slurm tells each task of a job step about the others."""

import re

# Below the ports that Linux gives to outgoing connections, from 32768 on.
FIRST_PORT, PORTS = 10_000, 20_000
# Tasks on one machine that jobs of neighboring numbers leave room for.
STRIDE = 64


def slurm_config(environment, port=None):
    """The cluster of a job step, as `TF_CONFIG` would describe it.

    Rank r is on the machine on which Slurm has started it: machines in the
    order of the node list, each with as many tasks as it was given.

    Args:
        environment: Dict of the variables that `srun` sets, such as
            `os.environ`.
        port: Integer, the port of the first task of each machine; the next
            ones have the next ports. Defaults to one of 10000 to 29999 that
            depends on the job's number, so that jobs that share a machine do
            not meet.

    Returns:
        Dict of `cluster` and `task`.

    Raises:
        ValueError: If a variable is missing, malformed, or contradicts
            another, or a port is out of its range.

    Example:

    >>> config = slurm_config({
    ...     "SLURM_PROCID": "2",
    ...     "SLURM_STEP_NUM_TASKS": "3",
    ...     "SLURM_STEP_NODELIST": "node[9-10]",
    ...     "SLURM_STEP_TASKS_PER_NODE": "2,1",
    ... }, port=12345)
    >>> config["cluster"]["worker"]
    ['node9:12345', 'node9:12346', 'node10:12345']
    >>> config["task"]
    {'type': 'worker', 'index': 2}

    Reference: https://slurm.schedmd.com/srun.html, "Output environment
    variables".
    """
    rank = _integer(environment, "SLURM_PROCID")
    count = _integer(environment, "SLURM_STEP_NUM_TASKS")
    nodes = expand_nodes(_variable(environment, "SLURM_STEP_NODELIST"))
    tasks = expand_tasks(_variable(environment, "SLURM_STEP_TASKS_PER_NODE"))
    if len(nodes) != len(tasks) or sum(tasks) != count:
        raise ValueError(
            "Slurm's variables must agree about the tasks of this step. "
            f"Received: SLURM_STEP_NUM_TASKS={count}, {len(nodes)} machines "
            f"in SLURM_STEP_NODELIST, {tasks} in SLURM_STEP_TASKS_PER_NODE"
        )
    if not 0 <= rank < count:
        raise ValueError(
            f"`SLURM_PROCID` must be from 0 to {count - 1}. "
            f"Received: SLURM_PROCID={rank}"
        )
    places = [
        (number, offset)
        for number, each in enumerate(tasks)
        for offset in range(each)
    ]
    _check_place(environment, rank, places)
    first = _first_port(environment, port, max(tasks))
    workers = [f"{nodes[number]}:{first + offset}" for number, offset in places]
    return {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": rank},
    }


def slurm_gpus(environment):
    """This task's share of a machine's GPUs, where Slurm has not divided them.

    With `--gres=gpu:8 --ntasks-per-node=8` and no `--gpus-per-task` or
    `--gpu-bind`, each of eight tasks sees all eight GPUs.

    Args:
        environment: As of `slurm_config`.

    Returns:
        String for `CUDA_VISIBLE_DEVICES`; or `None`, where it need not be
        changed.

    Raises:
        ValueError: If the tasks cannot share the GPUs equally.

    Example:

    >>> slurm_gpus({
    ...     "CUDA_VISIBLE_DEVICES": "0,1,2,3", "SLURM_GPUS_ON_NODE": "4",
    ...     "SLURM_STEP_TASKS_PER_NODE": "2(x4)", "SLURM_NODEID": "0",
    ...     "SLURM_LOCALID": "1",
    ... })
    '2,3'
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES", "")
    gpus = [gpu for gpu in visible.split(",") if gpu]
    if not gpus or str(len(gpus)) != environment.get("SLURM_GPUS_ON_NODE"):
        return None
    tasks = expand_tasks(_variable(environment, "SLURM_STEP_TASKS_PER_NODE"))
    here = tasks[_integer(environment, "SLURM_NODEID")]
    if here == 1:
        return None
    if len(gpus) % here:
        raise ValueError(
            f"The {here} tasks of a machine cannot share its {len(gpus)} GPUs "
            "equally. Start as many tasks as there are GPUs, or one."
        )
    share = len(gpus) // here
    first = share * _integer(environment, "SLURM_LOCALID")
    return ",".join(gpus[first : first + share])


def expand_nodes(text):
    """The machines of a node list of Slurm, in its order.

    Args:
        text: String.

    Returns:
        List of strings.

    Raises:
        ValueError: If the text is no node list.

    Example:

    >>> expand_nodes("gpu[08-10],login,r[1-2]n[3,5]")
    ['gpu08', 'gpu09', 'gpu10', 'login', 'r1n3', 'r1n5', 'r2n3', 'r2n5']
    """
    # Commas in brackets divide ranges, the others names.
    names = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text)
    if not text or ",".join(names) != text:
        raise _no_list(text)
    return [host for name in names for host in _expand(name, text)]


def _expand(name, text):
    before, bracket, rest = name.partition("[")
    if not bracket:
        return [name]
    inside, _, after = rest.partition("]")
    tails = _expand(after, text)
    return [
        f"{before}{number}{tail}"
        for part in inside.split(",")
        for number in _numbers(part, text)
        for tail in tails
    ]


def _numbers(part, text):
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise _no_list(text)
    first, last = match[1], match[2] or match[1]
    return [
        str(number).zfill(len(first))
        for number in range(int(first), int(last) + 1)
    ]


def _no_list(text):
    return ValueError(
        '`SLURM_STEP_NODELIST` must be a node list such as "gpu[01-04,7]". '
        f"Received: SLURM_STEP_NODELIST={text!r}"
    )


def expand_tasks(text):
    """Tasks of each machine, from Slurm's short form.

    Args:
        text: String.

    Returns:
        List of integers.

    Raises:
        ValueError: If the text is of another form.

    Example:

    >>> expand_tasks("3(x2),1")
    [3, 3, 1]
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if match is None:
            raise ValueError(
                '`SLURM_STEP_TASKS_PER_NODE` must be such as "2(x3),1". '
                f"Received: SLURM_STEP_TASKS_PER_NODE={text!r}"
            )
        found += [int(match[1])] * int(match[2] or 1)
    return found


def _variable(environment, name):
    if not environment.get(name):
        raise ValueError(
            f"`{name}` must be set, as `srun` does it. Start the program with "
            "`srun` within a job, not with `python` alone. Received: nothing"
        )
    return environment[name]


def _integer(environment, name):
    value = _variable(environment, name)
    if not value.isdecimal():
        raise ValueError(
            f"`{name}` must be an integer. Received: {name}={value!r}"
        )
    return int(value)


def _check_place(environment, rank, places):
    """Whether this task is where tasks in blocks would be."""
    for name, expected in zip(
        ("SLURM_NODEID", "SLURM_LOCALID"), places[rank], strict=True
    ):
        if environment.get(name) not in (None, str(expected)):
            raise ValueError(
                "Tasks must be distributed to machines in blocks: `srun "
                f"--distribution=block`. Received: {name}="
                f"{environment[name]} for SLURM_PROCID={rank}, where blocks "
                f"would have {expected}"
            )


def _first_port(environment, port, most):
    if port is None:
        job = _integer(environment, "SLURM_JOB_ID")
        return FIRST_PORT + job * STRIDE % PORTS
    if not 0 < port <= 65536 - most:
        raise ValueError(
            f"`port` must be from 1 to {65536 - most}, with {most} tasks on a "
            f"machine. Received: port={port}"
        )
    return port
