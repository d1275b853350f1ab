"""Examples in shuffled order, in files that are written whole."""

import collections
import concurrent.futures
import contextlib
import hashlib
import json
import pathlib
import re
import typing

import numpy as np
import tensorflow as tf

from keras_alexnet.data.training_statistics import ColorSums
from keras_alexnet.disk import replacing

# What `replacing` names the files that it has not finished.
UNFINISHED = re.compile(r"\.[0-9a-f]{16}-.+")


class Shard(typing.NamedTuple):
    """A file of records: its path, where its result is, its examples."""

    split: str
    path: pathlib.Path
    result: pathlib.Path
    examples: list


def shuffled(examples, seed):
    """Puts examples into an order that depends on their names and the seed.

    Args:
        examples: List of `Example`s.
        seed: Integer.

    Returns:
        List. Neither the order of the list nor the versions of libraries
        make a difference.
    """

    def key(example):
        text = f"{seed} {example.name}".encode()
        return hashlib.blake2b(text, digest_size=16).digest()

    return sorted(examples, key=key)


def plan_shards(folder, results, name, splits, images_per_shard, seed):
    """Divides all examples into files.

    Args:
        folder: `pathlib.Path` of the files.
        results: `pathlib.Path` of the folder of their results.
        name: String, where the names of the files begin.
        splits: Dict from the names of splits to lists of `Example`s.
        images_per_shard: Integer; it is met as nearly as files of equal size
            can.
        seed: Integer, of the order.

    Returns:
        List of `Shard`s.
    """
    shards = []
    for split, examples in splits.items():
        examples = shuffled(examples, seed)
        total = max(1, round(len(examples) / images_per_shard))
        ends = [len(examples) * i // total for i in range(total + 1)]
        for i in range(total):
            file = f"{name}-{split}.tfrecord-{i:05d}-of-{total:05d}"
            own = examples[ends[i] : ends[i + 1]]
            shards.append(
                Shard(split, folder / file, results / f"{file}.npz", own)
            )
    return shards


def remove_unfinished(*folders):
    """Removes what a killed process was writing. The caller holds the lock."""
    for folder in folders:
        for path in folder.iterdir():
            if UNFINISHED.fullmatch(path.name):
                path.unlink()


def read_result(shard):
    """What is known of a finished shard, or `None` if it is not finished.

    It is not, either, if its images have other sizes now: one was repaired.

    Returns:
        Tuple: dict of `"count"`, `"bytes"` (of the file), `"payload"` (of the
        records in it), `"skipped"`, `"damaged"` and `"examples"` (a digest);
        `ColorSums` or `None`.
    """
    if not (shard.path.is_file() and shard.result.is_file()):
        return None
    with np.load(shard.result) as stored:
        facts = json.loads(stored["facts"].tobytes())
        if facts["bytes"] != shard.path.stat().st_size:
            return None
        if facts["examples"] != _digest(shard.examples):
            return None
        if "pixels" not in stored:
            return facts, None
        sums = ColorSums(
            facts["count"],
            stored["pixels"].astype("int64"),
            stored["products"],
        )
    return facts, sums


def _digest(examples):
    hashed = hashlib.blake2b(digest_size=16)
    for example in examples:
        line = f"{example.name} {example.label} {example.size}\n"
        hashed.update(line.encode())
    return hashed.hexdigest()


def write_shards(shards, prepare, side, on_error, workers, note):
    """Prepares the examples of shards, and writes one file after the other.

    Images are prepared in threads: TensorFlow does the work, outside of
    Python's lock. They are written in their order, so the files do not depend
    on the number of threads.

    Args:
        shards: List of `Shard`s that are not finished.
        prepare: Function, see `preparer`.
        side: Integer, pixels of the mean image.
        on_error: `"raise"` or `"skip"`.
        workers: Integer, threads.
        note: Function without arguments, called after each image.

    Raises:
        ValueError: If an image cannot be decoded and none is to be skipped.
    """
    work = (
        (prepare, example, shard.split == "train")
        for shard in shards
        for example in shard.examples
    )
    with contextlib.closing(_in_order(work, workers)) as prepared:
        for shard in shards:
            _write_shard(shard, prepared, side, on_error, note)


def _in_order(work, workers):
    """Results of calls that run in threads, a few calls ahead."""
    pending = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        for function, *arguments in work:
            pending.append(pool.submit(function, *arguments))
            if len(pending) > 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _write_shard(shard, prepared, side, on_error, note):
    sums = ColorSums.zeros(side) if shard.split == "train" else None
    facts = {"count": 0, "bytes": 0, "payload": 0, "skipped": [], "damaged": {}}
    facts["examples"] = _digest(shard.examples)
    with replacing(shard.path) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for example in shard.examples:
                done = next(prepared)
                note()
                if done.record is None:
                    _leave_out(example, done.problem, on_error, facts)
                    continue
                writer.write(done.record)
                facts["count"] += 1
                facts["payload"] += len(done.record)
                if done.damage:
                    facts["damaged"][example.name] = done.damage
                if sums is not None:
                    one = ColorSums(1, done.square, done.products)
                    sums.add(one)
        facts["bytes"] = pathlib.Path(temporary).stat().st_size
    arrays = {}
    if sums is not None:
        # 32 bits hold the sum over sixteen million images.
        arrays = {
            "pixels": sums.pixels.astype("uint32"),
            "products": sums.products,
        }
    text = np.frombuffer(json.dumps(facts).encode(), "uint8")
    with replacing(shard.result) as temporary:
        np.savez(temporary, facts=text, **arrays)


def _leave_out(example, problem, on_error, facts):
    if on_error == "raise":
        raise ValueError(
            f"Cannot decode {example.origin}: {problem}. Repair it, or pass "
            '`on_error="skip"`, and it is left out and listed'
        )
    facts["skipped"].append(f"{example.name}: {problem}")
