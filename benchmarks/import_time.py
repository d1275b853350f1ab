"""What `import keras_alexnet` adds to `import keras`.

python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys

CODE = """
import time, keras
start = time.perf_counter()
import keras_alexnet
print(time.perf_counter() - start)
"""


def main(repeats=7):
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-c", CODE],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for _ in range(repeats)
    ]
    print(
        f"import keras_alexnet after keras: {statistics.median(seconds):.3f} s"
        f" (median of n = {repeats})"
    )


if __name__ == "__main__":
    main()
