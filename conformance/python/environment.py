"""Provides the unmodified package of requirements.txt, if necessary in a virtual environment beside this file."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINNED = (HERE / "requirements.txt").read_text().strip().split("==")[1]


def installed_version():
    try:
        return version("grate-limiter")
    except PackageNotFoundError:
        return None


def enter():
    """Returns if this interpreter has the pinned package. Otherwise runs the program in .venv, which it creates, and exits."""
    if installed_version() == PINNED:
        return
    environment = HERE / ".venv"
    if Path(sys.prefix).resolve() == environment:
        sys.exit(f"{environment} has grate-limiter {installed_version()}, not {PINNED}: delete it and run again")
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    ask = [python, "-c", "import importlib.metadata as m; print(m.version('grate-limiter'))"]
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"]
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True, stdout=sys.stderr)
        if subprocess.run(ask, capture_output=True, text=True).stdout.strip() != PINNED:
            subprocess.run(install, check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        sys.exit(f"missing: a virtual environment with grate-limiter {PINNED}, which needs Python 3.10, venv and pip ({error})")
    sys.exit(subprocess.run([python, *sys.argv]).returncode)
