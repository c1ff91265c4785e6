import random
import subprocess
import sys

import pytest
from click.testing import CliRunner

from nll.cli import main


@pytest.fixture
def run():
    """Run the command in this process: run("score", ...) has exit_code, stdout and stderr."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="nll")


@pytest.fixture
def process():
    """Start the command in a process of its own."""

    def start(*arguments):
        command = [sys.executable, "-m", "nll", *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


@pytest.fixture
def table(tmp_path):
    """A table of 60 rows: y, probabilities p, groups g and h, weights w, clusters c, a number x and its forecast."""
    draw = random.Random(8)
    rows = ["y,p,g,h,w,c,x,mu,label"]
    for i in range(60):
        p = draw.uniform(0.05, 0.95)
        y = int(draw.random() < p)
        x = draw.gauss(0, 1)
        label = "yes" if y else "no"
        rows.append(f"{y},{p!r},{'ab'[i % 2]},{i % 3},{i % 4},{i // 5},{x!r},{x + draw.gauss(0, 1)!r},{label}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
