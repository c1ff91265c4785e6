"""`nll watch`: score the files of a folder as they arrive, and say when the model drifts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nll.cli.observations import missing, model, own_families
from nll.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from nll.tasks.watch.watch import Arrival, Watch

LISTEN = "127.0.0.1:9464"  # the port of Prometheus exporters of this kind
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DRIFTED = 3

EPILOG = """\b
Examples:
  nll score last-month.parquet -y label -d 'Bernoulli(probs=p)' --json > baseline.json
  nll watch arriving/ -y label -d 'Bernoulli(probs=p)' --window 1h --baseline baseline.json
  nll watch arriving/ -y label -d 'Bernoulli(probs=p)' --baseline 0.31 --once   # from cron: exits with 3 on an alert

\b
Exit codes: 0 done, 1 bad data, 2 bad usage, 3 an alert (with --once), 130 interrupted.
"""


@click.command(epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-y", "y", metavar="COLUMN", required=True, help="The column of what happened.")
@click.option("-d", "--distribution", metavar="EXPR", help="What the model said, as in `nll score`.")
@click.option("--family", multiple=True, metavar="TEXT", help="A family of your own for -d, as in `nll score`.")
@click.option("-m", "--model", metavar="FILE", help="Instead of -d: a model that `nll fit -o FILE` wrote.")
@click.option("--window", default="1h", show_default=True, metavar="TIME", help="Of the tallies: 30s, 10m, 1h, 1d.")
@click.option(
    "--baseline",
    metavar="FILE|NUMBER",
    help="The mean NLL to hold: a number of nats a row, or what `nll score --json` or `nll fit -o` wrote.",
)
@click.option(
    "--alpha",
    type=float,
    default=0.01,
    show_default=True,
    help="The probability of a false alert, over all windows and looks together.",
)
@click.option("--state", metavar="FILE", help="What is known, to go on from after a restart: FOLDER/.nll-watch.json.")
@click.option("--every", default="5s", show_default=True, metavar="TIME", help="Between two looks at the folder.")
@click.option("--once", is_flag=True, help="Take what is there, and end; with 3 if there is an alert.")
@missing
@click.option("--clip", type=float, metavar="P", help="Raise probabilities to P, such as 1e-15, and count such rows.")
@click.option(
    "--listen",
    default=LISTEN,
    show_default=True,
    metavar="HOST:PORT|none",
    help="Where Prometheus finds the numbers (/metrics); other machines only if HOST lets them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a file.")
def watch(**options: Any) -> None:
    """Score the files of FOLDER as they arrive, each once, and raise an alert when the model drifts.

    A file is taken when nobody has written to it between two looks. Its rows belong to the window of its last change.
    What is known survives restarts. The alert is an anytime-valid test that the mean NLL lies above --baseline.
    """
    from nll.tasks.watch.drift import read_baseline
    from nll.tasks.watch.watch import Watch, keep_watching

    folder: Path = options["folder"]
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    found = Watch(
        options["y"],
        _distribution(options),
        width=seconds("--window", options["window"]),
        state=options["state"] or folder / ".nll-watch.json",
        baseline=None if options["baseline"] is None else read_baseline(options["baseline"]),
        alpha=options["alpha"],
        missing=options["missing"],
        clip=options["clip"],
    )
    every = seconds("--every", options["every"])
    if options["once"]:
        failed = False
        for path in found.arrived(folder, settled=True):
            arrival = found.take(path)
            failed |= bool(arrival.error)
            tell(arrival, options["as_json"])
        click.get_current_context().exit(DRIFTED if found.alerts else int(failed))
    if options["listen"] != "none":
        click.echo(f"metrics: http://{listen(found, options['listen'])}/metrics", err=True)
    keep_watching(found, folder, every, lambda arrival: tell(arrival, options["as_json"]))


def _distribution(options: dict[str, Any]) -> Any:
    text, path = options["distribution"], options["model"]
    if (text is None) == (path is None):
        raise UsageError("the model is given by -d EXPR, or by -m FILE that `nll fit -o` wrote")
    if path is not None:
        return model(path)
    from nll.families.expression import parse_distribution

    return parse_distribution(text, own_families(options["family"]))


def seconds(option: str, text: str) -> float:
    """Return the seconds of "90s", "10m", "1h" or "7d"."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", text)
    if found is None or float(found[1]) <= 0.0:
        raise UsageError(f"{option} is a number with s, m, h or d, such as 10m; got {text!r}")
    return float(found[1]) * SECONDS[found[2]]


def tell(arrival: Arrival, as_json: bool) -> None:
    """Print what became of a file; errors and alerts go to stderr too."""
    if as_json:
        score = None if arrival.score is None else json.loads(arrival.score.to_json())
        named = {"file": arrival.path, "window": arrival.window, "error": arrival.error, "alert": arrival.alert}
        click.echo(json.dumps({**named, "score": score}))
    elif arrival.score is not None:
        s = arrival.score
        odd = "".join(f", {n:,} {what}" for what, n in (("impossible", s.impossible), ("missing", s.missing)) if n)
        click.echo(f"{arrival.window}  {arrival.path}: {s.mean:.6g} +- {s.stderr:.2g} nats, {s.n:,} rows{odd}")
    if arrival.error:
        click.echo(f"error: {arrival.path} was not scored: {arrival.error}", err=True)
    if arrival.alert:
        click.echo(f"ALERT: window {arrival.window}: {arrival.alert}", err=True)


def listen(watched: Watch, place: str) -> str:
    """Serve the numbers of a watch at HOST:PORT, and return where."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise MissingExtraError("watch", "prometheus_client") from error
    from nll.cli.metrics import Numbers

    host, colon, port = place.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and port.isdigit() and int(port) < 2**16):
        raise UsageError(f"--listen is HOST:PORT, such as {LISTEN}, or none; got {place!r}")
    registry = CollectorRegistry()
    registry.register(Numbers(watched))
    try:
        server, _ = start_http_server(int(port), host, registry)
    except OSError as error:
        raise UsageError(f"--listen {place}: {error.strerror or error}; name another port, or none") from error
    return f"{host}:{server.server_port}"
