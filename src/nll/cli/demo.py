"""`nll demo`: three real forecasts of rain, scored, compared and fitted, and two language models, in one page."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nll.results.comparison import Comparison, Comparisons
    from nll.results.fits import Fits

LOGS = {"characters": "amendments_characters", "pieces": "amendments_pieces"}
MODELS = {"p_month": "calendar", "p_logistic": "logistic", "p_boosting": "boosting"}
SEASONS = ("winter", "spring", "summer", "autumn")

# sklearn.metrics.log_loss(y, p) on rain.parquet, scikit-learn 1.9.1: shown where scikit-learn is not installed.
LOG_LOSS = {"p_month": 0.6299642979268404, "p_logistic": 0.54828738037367, "p_boosting": 0.5705522417357277}
LOG_LOSS_BY = "scikit-learn 1.9.1, as stored"


@click.command()
def demo() -> None:
    """Score, compare and fit forecasts of rain and language models that come with nll, and say what to try next."""
    from nll.cli.terminal import show
    from nll.data import path
    from nll.families.bernoulli import Bernoulli
    from nll.tasks.compare.compare import compare
    from nll.tasks.fit.fit import fit
    from nll.tasks.score import score

    rain = path("rain")
    models = {name: Bernoulli(probs=column) for column, name in MODELS.items()}
    compared = compare("y", models, rain, by="season", cluster="week")
    click.echo(
        "Will it rain in Seattle tomorrow? Three forecasts a day, each made the evening before, and what came.\n"
    )
    show(_table(compared, *reference(rain)), numbers=True)
    one = score(1, Bernoulli(probs=0.8)).sum
    click.echo(
        f"\nEach day costs -log p of what happened: a forecast of 80 % that comes true costs -log 0.8 = {one:.4f}."
    )
    click.echo("\n" + _differences(compared.total))
    click.echo("\n" + _fitted(fit("y", Bernoulli, rain, by="season")))
    click.echo("\n" + _language_models({name: path(file) for name, file in LOGS.items()}))
    click.echo("\nTry next:")
    for line in _next(rain, *(path(file) for file in LOGS.values())):
        click.echo(f"  {line}")


def reference(rain: Path) -> tuple[str, dict[str, float]]:
    """Return whose log loss it is, and that of each model."""
    try:
        # By name: nll never needs scikit-learn, and only shows that the numbers agree.
        sklearn, metrics = import_module("sklearn"), import_module("sklearn.metrics")
    except ImportError:
        return LOG_LOSS_BY, LOG_LOSS
    import polars as pl

    table = pl.read_parquet(rain)
    return f"scikit-learn {sklearn.__version__}", {
        model: float(metrics.log_loss(table["y"].to_numpy(), table[model].to_numpy())) for model in MODELS
    }


def _table(compared: Comparisons, who: str, reference: dict[str, float]) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.title = f"Log loss of {compared.total.n:,} days, nats a day ± standard error clustered by week"
    table.add_column("")
    for column, name in MODELS.items():
        table.add_column(f"{name}\n{column}")
    for season in SEASONS:
        table.add_row(season, *_cells(compared[season]), end_section=season == SEASONS[-1])
    table.add_row("all", *_cells(compared.total), style="bold")
    table.add_row(who, *(f"{reference[column]:.4f}" for column in MODELS))
    off = max(abs(compared.total[name].score.mean - reference[column]) for column, name in MODELS.items())
    table.caption = f"scikit-learn and nll differ by at most {off:.0e}."
    table.caption_justify = "left"
    return table


def _cells(compared: Comparison) -> list[str]:
    scores = [compared[name].score for name in MODELS.values()]
    return [f"{score.mean:.4f} ± {score.stderr:.4f}" for score in scores]


def _differences(total: Comparison) -> str:
    """Say by how much each forecast is worse than the best, and how sure that is."""
    shown = [
        f"  {other.name:<9} {other.difference:.4f} ± {other.stderr:.4f}"
        f"   95 % interval {other.low:.4f} to {other.high:.4f}   p = {other.p_value:.1g}"
        for other in total.standings[1:]
    ]
    first = f"On the same days, {total.best} is best. Nats a day by which the others lose to it:"
    return "\n".join([first, *shown])


def _fitted(seasons: Fits) -> str:
    """Say how often it rains, as a fit finds it."""
    found = [
        f"{season} {seasons[season].params['probs']:.3f} ± {seasons[season].stderr['probs']:.3f}" for season in SEASONS
    ]
    return f"How often it rained, a Bernoulli fitted to each season: {', '.join(found)}."


def _language_models(logs: dict[str, Path]) -> str:
    """Say how well two language models predict the same texts, which they cut into different tokens."""
    from nll.results.token_comparison import TokenComparison
    from nll.tasks.tokens.compare import compare_tokens

    total = compare_tokens(logs)
    assert isinstance(total, TokenComparison)
    best = total[total.best].score
    lines = [
        f"Two small language models of the Bill of Rights ({best.documents} documents, "
        f"{best.rates['text_bytes'].count:,} bytes), each amendment predicted from the others:",
        "              tokens  perplexity  bits a byte",
    ]
    for each in total.standings:
        score = each.score
        rate = f"{score.bits_per_byte:.4f} ± {score.per('bits-per-byte')[1]:.4f}"
        lines.append(f"  {each.name:<10} {score.tokens:>7,}  {score.perplexity:>10.1f}  {rate}")
    other = total.standings[1]
    lines.append(
        f"Their tokens differ, so that perplexities do not compare. Bits a byte do: {other.name} loses "
        f"{other.difference:.4f} ± {other.stderr:.4f} to {total.base}"
    )
    close = ": they cannot be told apart by these texts" if other.low < 0.0 < other.high else ""
    lines.append(f"  95 % interval {other.low:.4f} to {other.high:.4f}   p = {other.p_value:.1g}{close}")
    return "\n".join(lines)


def _next(rain: Path, characters: Path, pieces: Path) -> list[str]:
    """Return lines that work when they are pasted into the shell that ran this."""
    file, a, b = (_quoted(path) for path in (rain, characters, pieces))
    nll = command()
    return [
        f"{nll} score {file} -y y -d 'Bernoulli(probs=p_boosting)' --by year --cluster week",
        f"{nll} score {file} -y y -d 'Bernoulli(probs=p_logistic)' --units bits --where \"season = 'winter'\" --json",
        f"{nll} compare {file} -y y -d 'a=Bernoulli(probs=p_month)' -d 'b=Bernoulli(probs=p_boosting)' --by season",
        f"{nll} decompose {file} -y y -d 'Bernoulli(probs=p_boosting)' --cluster week",
        f"{nll} fit {file} -y y -f Bernoulli --by season",
        f"{nll} check {file} -d 'Bernoulli(probs=p_month)' -y y",
        f"{nll} tokens {a} {b} --by model --unit bits-per-byte",
        f"{nll} compare-tokens {a} {b} --by about",
        f"{nll} plot strip {b} --document 'Amendment I' -o strip.html",
        f"{nll} plot reliability {file} -y y -d 'Bernoulli(probs=p_boosting)' -o reliability.html",
        f"{nll} families",
        f"{nll} plot loss -o loss.html",
    ]


def _quoted(path: Path) -> str:
    """Return a path as a shell takes it, as short as it goes."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def command() -> str:
    """Return how this shell calls us: nll, the path of it, or python -m nll."""
    called = Path(sys.argv[0])
    if called.stem != "nll":
        return f"{shlex.quote(sys.executable)} -m nll"
    found = shutil.which("nll")
    if found is not None and Path(found).resolve() == called.resolve():
        return "nll"
    called = called.absolute()
    return shlex.quote(str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called))
