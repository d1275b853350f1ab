"""A page as a browser shows it."""

import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def browse(url, folder, *options, timeout=60):
    """Opens a page in headless Chromium; skips the test where there is none.

    Returns:
        Pair of what it printed, such as the document for `--dump-dom`, and
        the lines that the page wrote to the console.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser, one of {', '.join(NAMES)}")
    done = subprocess.run(
        [
            path,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=10000",
            *options,
            url,
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert done.returncode == 0, done.stderr
    return done.stdout, console
