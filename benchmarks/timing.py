"""Interleaved timing, and steps of each Keras backend and of PyTorch."""

import ctypes.util
import os
import pathlib
import platform
import statistics
import sys
import time

# Of one of these a CPU needs to compute in bfloat16 rather than emulate it.
BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")


def restart_with_tcmalloc():
    """Starts this program again with a pooling `malloc`, where it is there.

    PyTorch returns large buffers to the system after each use; TensorFlow has
    a pool of its own (`TF_CPU_ALLOCATOR_USE_BFC`). With tcmalloc PyTorch has
    one, too.
    """
    library = ctypes.util.find_library("tcmalloc_minimal")
    if library is None:
        print(
            "tcmalloc is not installed (Debian: libtcmalloc-minimal4): "
            "PyTorch runs without a pooling allocator."
        )
    elif library not in os.environ.get("LD_PRELOAD", ""):
        environment = {**os.environ, "LD_PRELOAD": library}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def cpu_flags():
    """Set of the features that the processor states; empty if unknown."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    stated = [line for line in lines if line.startswith("flags")]
    return set(stated[0].split()) if stated else set()


def interleave(contestants, repeats, warmup=2, in_a_row=1):
    """Times each in turn, A B C A B C …, so that drift meets all alike.

    Args:
        contestants: Dict of name to a function without arguments that returns
            when its work is done.
        repeats: Integer, counted rounds.
        warmup: Integer, rounds before them.
        in_a_row: Integer, calls of one contestant before it is another's
            turn. Where one call takes milliseconds, the others leave it cold
            caches and sleeping threads, which no server meets.

    Returns:
        Dict of name to a list of seconds.
    """
    for _ in range(warmup):
        for run in contestants.values():
            run()
    seconds = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            for _ in range(in_a_row):
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title, seconds, ours, unit=1e3, unit_name="ms"):
    """Prints medians, n, and how many times slower each is than `ours`."""
    n = len(seconds[ours])
    print(f"\n{title}  (median of n = {n})")
    for name, values in seconds.items():
        ratio = statistics.median(
            other / own
            for other, own in zip(values, seconds[ours], strict=True)
        )
        print(
            f"  {name:34} {unit * statistics.median(values):9.2f} {unit_name}"
            f"  {ratio:6.2f} x ours"
        )


def machine():
    """One line about the processor."""
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        wanted = ("avx2", "avx512f", "avx512_vnni", *BFLOAT16_UNITS)
        extras = [flag for flag in wanted if flag in cpu_flags()]
        if names:
            model = f"{names[0]} ({' '.join(extras)})"
    pooled = "tcmalloc" in os.environ.get("LD_PRELOAD", "")
    return (
        f"{model}, {os.cpu_count()} cores, "
        f"{'tcmalloc' if pooled else 'malloc of the system'}"
    )


def gradient_step(layer, x, upstream):
    """Forward and backward pass of a Keras layer in training, compiled.

    On PyTorch it is eager, as Keras's layers are there.
    """
    import keras

    # A model passes `training` on to the layers that know it.
    layer = keras.Sequential([layer])
    layer(x)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(autograph=False)
        def step(x, upstream):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
            sources = [x, *layer.trainable_variables]
            # As in a network, the gradient arrives after the output is there.
            with tf.control_dependencies([y]):
                upstream = tf.identity(upstream)
            return y, tape.gradient(y, sources, upstream)

        x, upstream = tf.constant(x), tf.constant(upstream)
        return lambda: step(x, upstream)[0][0, 0, 0, 0].numpy()
    if backend == "jax":
        import jax

        weights = [variable.value for variable in layer.variables]

        @jax.jit
        def step(x, upstream, weights):
            def f(x, weights):
                return layer.stateless_call(weights, [], x, training=True)[0]

            y, gradient = jax.vjp(f, x, weights)
            return y, gradient(upstream)

        x, upstream = jax.numpy.asarray(x), jax.numpy.asarray(upstream)
        return lambda: jax.block_until_ready(step(x, upstream, weights))
    return torch_step(layer, x, upstream)


def torch_step(module, x, upstream, prepare=lambda tensor: tensor):
    """Forward and backward pass of a PyTorch module, as a function."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, upstream = (
        prepare(torch.tensor(value, device=device)) for value in (x, upstream)
    )
    x.requires_grad_()

    def step():
        x.grad = None
        module(x).backward(upstream)
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def peak_memory(run):
    """Bytes that `run` adds, at most, to the memory of this process (Linux)."""

    def field(name):
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return 1024 * int(line.split()[1])
        raise OSError(f"/proc/self/status lacks {name}")

    run()
    # Resets the high-water mark of this process.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = field("VmRSS")
    run()
    return field("VmHWM") - before
