"""Compare distributions on the same rows: which has the lower NLL, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from nll.engines.local import Progress
from nll.engines.placing import placed
from nll.engines.progress import RowProgress
from nll.errors import UsageError, unknown
from nll.results.comparison import FEW, Comparison, Comparisons, Standing
from nll.results.score import Score, Scores
from nll.states.paired import PairedTally
from nll.tasks.compare.baseline import NAME, marginal
from nll.tasks.compare.holm import holm
from nll.tasks.compare.inputs import Bound, Rows, bind_models, part
from nll.tasks.compare.losses import refuse_scores
from nll.tasks.compare.skill import clustered_skill, heaviest, places_of, skill
from nll.tasks.compare.step import PairedStep
from nll.tasks.compare.tails import t_quantile, two_sided_t
from nll.tasks.finish import finish
from nll.tasks.passes import reduce
from nll.tasks.score import Missing, make_step

MANY, SAMPLE = 2**18, 2**15  # rows from which the best model is guessed, and of which
MOST_CLUSTERS = 10_000  # of which one could weigh too much
HEAVY = 0.1  # of the sum of squares: what one row may make up


def compare(
    y: Any,
    models: Any = None,
    data: Any = None,
    *others: Any,
    by: Any = None,
    cluster: Any = None,
    sample_weight: Any = None,
    reference: str | None = None,
    baseline: Any = False,
    level: float = 0.95,
    missing: Missing = "error",
    clip: float | None = None,
    where: Any = None,
    threads: int | None = None,
    progress: Progress | bool = True,
    engine: Any = None,
) -> Any:
    """Compare models by their negative log-likelihood on the same rows, in one pass, with paired standard errors.

    Models are ranked by their mean loss. Each is compared with the best one, or with `reference`, by the mean of the
    row differences; its standard error is that of the differences, not of the scores, and by clusters where there are
    such. Intervals and p-values are by Student's t with n - 1 degrees of freedom; with clusters of one size with one
    less than there are clusters, and with fewer if their sizes differ (`nll.results.student.cluster_df`).

    Parameters
    ----------
    y : observations (n,), or with `data` the name of a column, as in `score`.
        Or a fit, with others after it, or {name: fit}: fits are compared by their criteria and tests.
    models : {name: distribution}, all of densities or all of probabilities.
    data, by, cluster, sample_weight, where, threads, progress, engine : as in `score`. One read of the table serves all
        models.
    reference : the model to compare with, in place of the best one.
    baseline : True adds a model without information, one distribution for all rows fitted to them: the frequencies of
        classes, else the family of the first model, or one that is passed (``baseline=nll.Poisson``). Each model then
        has its skill, 1 - NLL / NLL of the baseline, with a standard error.
    level : of the intervals.
    missing : "drop" leaves out a row that any model lacks, and counts it.
    clip : a probability: larger losses become -log(clip), of all models, and are counted.

    Returns
    -------
    Comparison, or Comparisons by group; of fits a FitComparison.

    Raises
    ------
    UsageError : the losses do not have the same measure, or a name or an option is wrong.
    DataError : as in `score`.

    Examples
    --------
    >>> import nll
    >>> y, p, q = [1, 0, 1, 1], [0.9, 0.2, 0.7, 0.8], [0.6, 0.4, 0.5, 0.6]
    >>> found = nll.compare(y, {"new": nll.Bernoulli(probs=p), "old": nll.Bernoulli(probs=q)})
    >>> found.best, round(found["old"].difference, 4), found["old"].wins
    ('new', 0.3293, 0)
    """
    fits = fits_of(y, models, data, others)
    if fits is not None:
        from nll.tasks.compare.fits import compare_fits

        options = (by, cluster, sample_weight, reference, clip, where)
        if baseline is not False or any(option is not None for option in options):
            raise UsageError("fits are compared as they are: the options by, cluster, clip ... are of predictions")
        return compare_fits(fits)
    names = check_models(models, reference, level, baseline is not False)
    if engine is not None:
        data, where = placed(data, where, engine), None
    arguments = {"y": y, "models": models, "sample_weight": sample_weight, "by": by, "cluster": cluster}
    arguments |= {"base": None if reference is None else names.index(reference), "missing": missing, "clip": clip}
    bound, step = begin(data=data, where=where, **arguments)
    if baseline is not False:
        constant = marginal(baseline, bound, step, arguments, data, where, threads)
        names = (*names, NAME)
        # All pairs, for those with the baseline are needed too.
        arguments |= {"models": {**models, NAME: constant}, "base": None}
        bound, step = begin(data=data, where=where, **arguments)
    # Arrays are there to be gone over again, in groups other models may be best, and a baseline asks for all pairs.
    plain = data is None and by is None and reference is None and baseline is False
    guess = likely_best(bound, step, names) if plain else None
    if guess is not None:
        step = replace(step, base=guess)
    with RowProgress("comparing", wanted=progress is True) as shown:
        called = progress if callable(progress) else shown
        state = reduce(begin, arguments, bound, step, threads, called)
        found = Finished(state, bound, names, reference, level, baseline is not False)
        if guess is not None and found.best() != guess:
            step = replace(step, base=found.best())
            state = reduce(begin, arguments, bound, step, threads)
            found = Finished(state, bound, names, reference, level, baseline is not False)
    return found.result()


def begin(
    y: Any, models: Any, data: Any, *, sample_weight: Any, by: Any, cluster: Any, base: int | None, missing: Missing,
    clip: float | None, where: Any = None,
) -> tuple[Bound, PairedStep]:  # fmt: skip
    """Return what a comparison reads, and what it does with the rows of a chunk."""
    bound = bind_models(y, models, data, sample_weight=sample_weight, by=by, cluster=cluster, where=where)
    first = bound.each[0]
    steps = tuple(make_step(each, missing, clip, None, 0.0, None) for each in bound.each)
    return bound, PairedStep(steps, first.weighted, first.cluster, base)


def likely_best(bound: Bound, step: PairedStep, names: tuple[str, ...]) -> int | None:
    """Return the model that is best in the first of many rows; None for few rows, or for two models.

    Only the differences to the best one are asked for. To guess it saves the sums of the other pairs, and where the
    guess turns out to be wrong, which takes models as good as each other, the rows are gone over again.
    """
    rows = next(bound.chunks(), None)
    if rows is None or rows.size < MANY or len(rows.parts) < 3:
        return None
    head = Rows(rows.first, SAMPLE, tuple(part(chunk, 0, SAMPLE) for chunk in rows.parts))
    state = step.zero()
    step(state, head)
    return Finished(state, bound, names, None, 0.95, False).best()


def fits_of(y: Any, models: Any, data: Any, others: tuple[Any, ...]) -> dict[str, Any] | None:
    """Return the fits that are to be compared; None where these are no fits."""
    from nll.results.fit import Fit
    from nll.results.fits import Fits

    if isinstance(y, Fits):
        raise UsageError("fits of groups are compared group by group: nll.compare(a[key], b[key])")
    given = y if isinstance(y, Mapping) else {"a": y, "b": models}
    refuse_scores({str(name): model for name, model in given.items()})
    if isinstance(y, Mapping) and models is None and y and all(isinstance(fit, Fit) for fit in y.values()):
        return {str(name): fit for name, fit in y.items()}
    if isinstance(y, Fit):
        from nll.tasks.compare.fits import named

        return named(tuple(fit for fit in (y, models, data, *others) if fit is not None))
    if others:
        raise UsageError("compare takes y, models and data by position, or fits")
    return None


def check_models(models: Any, reference: str | None, level: float, baseline: bool = False) -> tuple[str, ...]:
    """Return the names of models; refuse what is no comparison."""
    if not isinstance(models, Mapping) or len(models) < 2 - baseline:
        raise UsageError("compare takes a dict of at least two models, {'a': dist, 'b': dist}")
    if baseline and NAME in models:
        raise UsageError(f"{NAME!r} is the name of the model that baseline= adds: name yours another way")
    if not all(isinstance(name, str) for name in models):
        raise UsageError(f"models are named by text; got {list(models)!r}")
    refuse_scores(models)
    if reference is not None and reference not in models:
        raise UsageError(unknown("model", reference, models))
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
    return tuple(models)


class Finished:
    """A state as comparisons: of all rows, and of each group when it is asked for."""

    def __init__(
        self,
        state: PairedTally,
        bound: Bound,
        names: tuple[str, ...],
        reference: str | None,
        level: float,
        baseline: bool,
    ) -> None:
        self.state, self.names, self.reference, self.level, self.baseline = state, names, reference, level, baseline
        first = bound.each[0]
        self.cluster = first.cluster
        self.by, self.source = first.by, first.description
        about = (first.by, first.cluster)
        self.scores: list[Any] = [
            finish(tally, *about, own.distribution, own.description, own.locate)
            for tally, own in zip(state.losses, bound.each, strict=True)
        ]
        self.differences: list[Any] = [
            finish(tally, *about, "", first.description, first.locate) for tally in state.differences
        ]

    def best(self) -> int:
        """Return the number of the model that comes first in all rows."""
        scores = [s.total if isinstance(s, Scores) else s for s in self.scores]
        return in_order(scores)[0]

    def result(self) -> Comparison | Comparisons:
        """Return the comparison of all rows, with those of groups where there are such."""
        groups = len(self.state.places)
        counts, largest = self.state.counts[:groups].sum(axis=0), self.state.largest[:groups].max(axis=0, initial=0.0)
        scores = [s.total if isinstance(s, Scores) else s for s in self.scores]
        pairs = [d.total if isinstance(d, Scores) else d for d in self.differences]
        total = self.comparison(scores, pairs, counts, largest)
        return Comparisons(self.by, Groups(self), total) if self.by else total

    def group(self, key: Any) -> Comparison:
        """Return the comparison of one group."""
        saved = key if len(self.by) > 1 else (key,)
        at = next(i for k, i in self.state.places.items() if all(_same(x, y) for x, y in zip(k, saved, strict=True)))
        scores = [s[key] for s in self.scores]
        pairs = [d[key] if key in d else _empty(scores[0]) for d in self.differences]
        return self.comparison(scores, pairs, self.state.counts[at], self.state.largest[at], key)

    def comparison(
        self, scores: list[Score], pairs: list[Score], counts: Any, largest: Any, group: Any = None
    ) -> Comparison:
        """Return models in order of their mean loss."""
        order = in_order(scores)
        base = order[0] if self.reference is None else self.names.index(self.reference)
        standings = {i: self.standing(i, base, scores, pairs, counts, largest, group) for i in order}
        others = [i for i in order if i != base and not (self.baseline and self.names[i] == NAME)]
        adjusted = dict(zip(others, holm([standings[i].p_value for i in others]).tolist(), strict=True))
        for i in others:
            standings[i] = replace(standings[i], p_holm=adjusted[i])
        if self.baseline:
            for i in order:
                value, stderr = self.skill(i, group)
                standings[i] = replace(standings[i], skill=value, skill_stderr=stderr)
        ranked, constant = tuple(standings[i] for i in order), NAME if self.baseline else None
        return Comparison(ranked, self.names[base], self.reference is not None, self.level, self.source, constant)

    def skill(self, i: int, group: Any) -> tuple[float, float]:
        """Return the skill of a model over the baseline, the last of all, and its standard error."""
        last, width = len(self.names) - 1, len(self.by)
        if i == last:
            return 0.0, 0.0
        own, base = self.state.losses[i], self.state.losses[last]
        if self.cluster:
            return clustered_skill(own, base, tuple(places_of(t, width, group) for t in (own, base)))
        pair = self.state.differences[self.state.pairs.index((i, last))]
        return skill(own, base, pair, tuple(places_of(t, width, group) for t in (own, base, pair)))

    def standing(
        self, i: int, base: int, scores: list[Score], pairs: list[Score], counts: Any, largest: Any, group: Any
    ) -> Standing:
        """Return a model's score and its difference to the one that it is compared with."""
        name, score = self.names[i], scores[i]
        if i == base:
            return Standing(name, score)
        at = self.state.pairs.index((min(i, base), max(i, base)))
        pair, sign = pairs[at], 1.0 if base < i else -1.0
        lower, equal = (int(c) for c in counts[at])
        wins = score.n - lower - equal if base < i else lower
        difference, stderr = sign * pair.mean + 0.0, pair.stderr
        if score.impossible or scores[base].impossible:
            difference, stderr = score.mean - scores[base].mean, math.nan
        df = pair.n - 1.0 if pair.df is None else pair.df
        low = high = p_value = math.nan
        if stderr == 0.0 and difference == 0.0:
            low, high, p_value = 0.0, 0.0, 1.0
        elif math.isfinite(stderr) and df > 0 and stderr > 0.0:
            half = t_quantile(self.level, df) * stderr
            low, high = difference - half, difference + half
            p_value = two_sided_t(difference / stderr, df)
        share = self.share(at, pair, float(largest[at]), group) if math.isfinite(difference) else 0.0
        heavy = share if share > HEAVY else 0.0
        return Standing(name, score, difference, stderr, low, high, p_value, math.nan, wins, equal, df, heavy)

    def share(self, at: int, pair: Score, largest: float, group: Any) -> float:
        """Return what part of the sum of squared differences one row, or one cluster, makes up; 0 for few of them."""
        if pair.clusters is not None:
            if not FEW <= pair.clusters <= MOST_CLUSTERS:
                return 0.0
            tally = self.state.differences[at]
            return heaviest(tally, places_of(tally, len(self.by), group))
        if pair.n < FEW or pair.weight != pair.n:
            return 0.0
        # n s**2 = stderr**2 n**2 for rows of one weight: what the largest difference makes up of the sum of squares.
        squares = pair.stderr**2 * pair.n * (pair.n - 1) + pair.n * pair.mean**2
        return largest / squares if squares > 0.0 else 0.0


def in_order(scores: list[Score]) -> list[int]:
    """Return the numbers of models in the order of their mean losses."""
    return sorted(range(len(scores)), key=lambda i: (scores[i].mean != scores[i].mean, scores[i].mean))


class Groups(Mapping[Any, Comparison]):
    """The comparison of each group, made when it is asked for."""

    def __init__(self, finished: Finished) -> None:
        self.finished, self.made = finished, {}

    def __getitem__(self, key: Any) -> Comparison:
        if key not in self.finished.scores[0]:
            raise KeyError(key)
        if key not in self.made:
            self.made[key] = self.finished.group(key)
        return self.made[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.finished.scores[0])

    def __len__(self) -> int:
        return len(self.finished.scores[0])


def _same(saved: Any, value: Any) -> bool:
    from nll.states.plain import NAN

    return (saved is NAN and value != value) or (saved is not NAN and type(saved) is type(value) and saved == value)


def _empty(like: Score) -> Score:
    """Return the score of no rows: a pair of which one model is impossible in every row of a group."""
    clusters = None if like.clusters is None else 0
    return Score(0.0, math.nan, math.nan, 0, 0.0, read=0, clusters=clusters)
