"""Short binary codes for retrieval: an auto-encoder beside what it must beat.

    python examples/short_codes.py --model=runs/train/alexnet.keras
    python examples/short_codes.py --dataset=cifar10 --layer=pool3 \\
        --model=runs/cifar_ensemble/seed0/alexnet.keras

Section 6.1 of the paper suggests compressing `fc7` by an auto-encoder to short
binary codes. Test images are the queries, and all training images are
searched; a neighbor is right if it is of the query's class. Printed is the
share of right ones among the k nearest: by Euclidean distance of the features,
of their principal components, and by Hamming distance of the signs of these,
of the signs after a rotation (ITQ), and of the auto-encoder's codes. The codes
are fitted to training images without their labels. Lengths that are done are
not computed again when an interrupted run is started once more.
"""

import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import shared_flags
from absl import app
from absl import flags

from keras_alexnet.data import evaluation_data
from keras_alexnet.disk import replacing
from keras_alexnet.models import load_network
from keras_alexnet.retrieval import AutoencoderCodes
from keras_alexnet.retrieval import FeatureExtractor
from keras_alexnet.retrieval import PCACodes
from keras_alexnet.retrieval import hamming_distances
from keras_alexnet.retrieval import nearest
from keras_alexnet.retrieval import precision_at_k
from keras_alexnet.studies import paired_difference
from keras_alexnet.text_table import text_table
from keras_alexnet.visualization import plot_neighbors

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "A .keras file.", required=True)
shared_flags.define_source()
shared_flags.define_output("runs/short_codes")
flags.DEFINE_string("layer", "fc7", "The layer whose outputs are compressed.")
flags.DEFINE_multi_integer("bits", [28, 64, 128, 256], "Lengths of codes.")
flags.DEFINE_multi_integer("k", [10, 100], "Neighbors that are looked at.")
flags.DEFINE_integer("queries", 1000, "Test images at most.", lower_bound=2)
flags.DEFINE_integer(
    "fitted", 20000, "Training images at most that codes are fitted to."
)
flags.DEFINE_multi_integer(
    "hidden", [1024, 256], "Widths of each encoder's hidden layers."
)
flags.DEFINE_integer("epochs", 20, "Of each auto-encoder.", lower_bound=1)
flags.DEFINE_float("noise", 1.0, "Of each auto-encoder.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Of auto-encoders and rotations.")

# Queries at a time: a table of their distances from 50,000 images is 100 MB.
AT_ONCE = 250
BASELINE = "PCA + sign"


def features_of(extract, source, split):
    """Features and labels of all images of a split."""
    data = evaluation_data(
        source,
        split,
        extract.size,
        resize=extract.image_size,
        view="center",
    )
    found = [(extract(np.asarray(x)), np.asarray(y)) for x, y in data]
    features, labels = zip(*found, strict=True)
    return np.concatenate(features), np.concatenate(labels)


def all_features(source, path):
    """Those of both splits, which are kept in a file for the next start."""
    stat = os.stat(FLAGS.model)
    key = f"{source.fingerprint} {FLAGS.layer} {stat.st_size} {stat.st_mtime}"
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return dict(kept)
    network = load_network(FLAGS.model)
    extract = FeatureExtractor(network, FLAGS.layer, batch_size=128)
    found = {"key": np.array(key)}
    for split in ("train", "test"):
        both = features_of(extract, source, split)
        found[split], found[f"{split}_labels"] = both
    with replacing(path) as temporary:
        np.savez(temporary, **found)
    return found


def spread(rows, most):
    """Indices of at most so many rows, of a folder those of all classes."""
    return np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)


def euclidean(vectors, queries):
    """Squared distances of all vectors from each query."""
    squares = (vectors**2).sum(axis=1)
    return squares - 2 * queries @ vectors.T + (queries**2).sum(axis=1)[:, None]


def precisions(distances, database, queries, is_right):
    """Precision of each query, for each k.

    Args:
        distances: Function of the items and of some queries.
        database, queries: What it takes, one row per image.
        is_right: Function of a slice of queries that says which items are.
    """
    found = {k: [] for k in FLAGS.k}
    for start in range(0, len(queries), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        table, right = distances(database, queries[some]), is_right(some)
        for k in FLAGS.k:
            found[k].append(precision_at_k(table, right, k))
    return {k: np.concatenate(parts) for k, parts in found.items()}


def fitted(vectors, bits):
    """Codes of a length by each method, with the seconds that they took."""
    for name, fit in (
        (BASELINE, lambda: PCACodes.fit(vectors, bits, seed=FLAGS.seed)),
        ("PCA + ITQ", lambda: PCACodes.fit(vectors, bits, "itq", FLAGS.seed)),
        (
            "auto-encoder",
            lambda: AutoencoderCodes.fit(
                vectors,
                bits,
                tuple(FLAGS.hidden),
                FLAGS.noise,
                epochs=FLAGS.epochs,
                seed=FLAGS.seed,
            ),
        ),
    ):
        start = time.process_time()
        codes = fit()
        yield name, codes, time.process_time() - start


def rows_of_a_length(bits, database, queries, is_right):
    """What JSON holds of each method: means in percent, and differences."""
    rows, baseline = [], None
    some = spread(database, FLAGS.fitted)
    for name, codes, seconds in fitted(database[some], bits):
        if name == BASELINE:
            both = codes.project(database), codes.project(queries)
            found = precisions(euclidean, *both, is_right)
            rows.append(as_row(f"PCA, {bits} floats", found))
        both = codes.encode(database), codes.encode(queries)
        found = precisions(hamming_distances, *both, is_right)
        baseline = baseline or found
        row = as_row(name, found, None if name == BASELINE else baseline)
        rows.append({**row, "bits": bits, "cpu_seconds": round(seconds, 1)})
    return rows


def as_row(method, found, baseline=None):
    """Means over the queries, and paired differences from the baseline."""
    row = {
        "method": method,
        "precision": {str(k): 100 * float(p.mean()) for k, p in found.items()},
    }
    if baseline is not None:
        differences = {
            str(k): paired_difference(100 * p, 100 * baseline[k])
            for k, p in found.items()
        }
        row["from_baseline"] = {
            k: (d.value, d.low, d.high) for k, d in differences.items()
        }
    return row


def table(rows):
    first = str(FLAGS.k[0])
    heads = [f"P@{k} %" for k in FLAGS.k]
    cells = [("method", "bits", *heads, f"P@{first} less {BASELINE}")]
    for row in rows:
        difference = ""
        if "from_baseline" in row:
            value, low, high = row["from_baseline"][first]
            difference = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
        cells.append(
            (
                row["method"],
                str(row.get("bits", "")),
                *[f"{row['precision'][str(k)]:.1f}" for k in FLAGS.k],
                difference,
            )
        )
    return text_table(cells, "<>")


def kept_rows(path, settings):
    """The rows that an interrupted run of the same settings has left."""
    if path.exists():
        kept = json.loads(path.read_text())
        if {name: kept.get(name) for name in settings} == settings:
            return kept["rows"]
    return {}


def draw(source, database, labels, queries, path):
    """Five queries and their nearest neighbors by exact distances."""
    numbers = spread(queries, 5)
    distances, found = nearest(database, queries[numbers], 6)

    def image(split, number):
        loaded, label, _ = source.split(split).load(number)
        return loaded.numpy(), source.class_names[int(label)]

    plot_neighbors(
        [image("test", number) for number in numbers],
        [
            [
                (
                    image("train", n)[0],
                    f"{source.class_names[labels[n]]} {d:.0f}",
                )
                for d, n in zip(*row, strict=True)
            ]
            for row in zip(distances, found, strict=True)
        ],
        path,
        f"Left: test images of {source.name}. Right: the nearest of "
        f"{len(database):,} training images,\nwith class and Euclidean "
        f"distance in {FLAGS.layer}",
    )


def main(_):
    source = shared_flags.source()
    path = pathlib.Path(FLAGS.output) / "result.json"
    features = all_features(source, path.with_name("features.npz"))
    database, labels = features["train"], features["train_labels"]
    some = spread(features["test"], FLAGS.queries)
    queries, wanted = features["test"][some], features["test_labels"][some]

    def is_right(some):
        return wanted[some, None] == labels[None]

    settings = {
        "source": source.name,
        "model": pathlib.Path(FLAGS.model).name,
        # Many networks have one name.
        "features": str(features["key"]),
        "layer": FLAGS.layer,
        "width": database.shape[1],
        "images": len(database),
        "fitted": min(FLAGS.fitted, len(database)),
        "queries": len(queries),
        "k": FLAGS.k,
        "hidden": FLAGS.hidden,
        "epochs": FLAGS.epochs,
        "noise": FLAGS.noise,
        "seed": FLAGS.seed,
        "software": f"Keras {keras.__version__}, {keras.backend.backend()}",
    }
    rows = kept_rows(path, settings)
    for bits in (0, *FLAGS.bits):
        if str(bits) in rows:
            continue
        if bits:
            found = rows_of_a_length(bits, database, queries, is_right)
        else:
            exact = precisions(euclidean, database, queries, is_right)
            found = [as_row(f"exact, {database.shape[1]} floats", exact)]
        rows[str(bits)] = found
        with replacing(path) as temporary:
            pathlib.Path(temporary).write_text(
                json.dumps({**settings, "rows": rows}, indent=1)
            )
    print(table([r for bits in (0, *FLAGS.bits) for r in rows[str(bits)]]))
    print(f"n = {len(queries)} queries in {len(database)} images")
    picture = path.with_name("neighbors.png")
    draw(source, database, labels, queries, picture)
    print(f"Saved {path}, {picture.name}")


if __name__ == "__main__":
    app.run(main)
