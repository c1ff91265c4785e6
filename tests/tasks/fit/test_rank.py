import json
import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nll.errors import UsageError
from nll.families.binomial import Binomial
from nll.families.gamma import Gamma
from nll.families.negativebinomial import NegativeBinomial
from nll.families.normal import Normal
from nll.tasks.fit.fit import fit
from nll.tasks.fit.rank import _plausible, _seen, fit_best

Y = stats.gamma.ppf((np.arange(40) + 0.5) / 40.0, 2.0, scale=3.0)
COUNTS = np.array([0, 1, 1, 2, 2, 3, 3, 4, 5, 8, 9, 14] * 3)
NAMES = ["Normal", "Exponential", "Gamma"]


@pytest.mark.parametrize("criterion", ["aic", "aicc", "bic"])
def test_the_order_is_that_of_the_criterion(criterion):
    ranking = fit_best(Y, NAMES, criterion=criterion)
    alone = {name: getattr(fit(Y, ranking[name].family), criterion) for name in NAMES}
    assert list(ranking) == sorted(NAMES, key=alone.__getitem__)
    assert ranking.criteria == pytest.approx(alone, rel=1e-13)
    assert ranking.best.family is Gamma
    assert ranking.deltas["Gamma"] == 0.0
    raw = {name: math.exp(-0.5 * (value - min(alone.values()))) for name, value in alone.items()}
    assert ranking.weights == pytest.approx({n: v / sum(raw.values()) for n, v in raw.items()}, rel=1e-9)


def test_scale_does_not_change_the_order():
    first, second = fit_best(Y, NAMES), fit_best(Y * 1e6, NAMES)
    assert list(first) == list(second)
    assert list(first.deltas.values()) == pytest.approx(list(second.deltas.values()), abs=1e-7)


def test_a_family_that_cannot_hold_the_data_is_listed_with_the_reason():
    ranking = fit_best(Y, ["Beta", "Gamma", "Binomial"][:2])
    assert list(ranking) == ["Gamma"]
    assert "Beta" in ranking.failed
    assert ranking.failed["Beta"]
    with pytest.raises(UsageError, match="Beta has no usable fit"):
        ranking["Beta"]
    assert "Failed: Beta" in ranking.summary()
    assert ranking.to_polars()["failed"].to_list() == ["", ranking.failed["Beta"]]


def test_what_must_be_known_is_a_reason():
    ranking = fit_best(COUNTS, ["Binomial", "Poisson"])
    assert "total_count must be known" in ranking.failed["Binomial"]
    given = fit_best(COUNTS, ["Binomial", "Poisson"], fixed={"total_count": 20})
    assert given["Binomial"].nll == pytest.approx(fit(COUNTS, Binomial, fixed={"total_count": 20}).nll, rel=1e-14)


def test_none_that_fits_is_an_error_only_when_asked_for():
    ranking = fit_best(Y, ["Beta"])
    assert len(ranking) == 0
    with pytest.raises(UsageError, match="no family could be fitted: Beta"):
        _ = ranking.best
    assert "none first; 1 failed" in repr(ranking)


def test_densities_are_not_compared_with_probabilities():
    with pytest.raises(UsageError, match="different units: Poisson"):
        fit_best(COUNTS, ["Poisson", "Normal"])


def test_forms_are_named_by_their_parameters():
    form = NegativeBinomial.form_for((), {"total_count": 0, "probs": 0})
    ranking = fit_best(COUNTS, [NegativeBinomial, form])
    assert list(ranking.failed) == []
    assert {*ranking} == {"NegativeBinomial", "NegativeBinomial(total_count, probs)"}
    assert ranking["NegativeBinomial"].nll == pytest.approx(ranking[form.signature()].nll, rel=1e-12)


@pytest.mark.parametrize(
    ("y", "inside", "outside"),
    [
        (Y, {"Gamma", "Normal", "Weibull"}, {"Beta", "Poisson", "Kumaraswamy", "Categorical", "MultivariateNormal"}),
        (Y - 5.0, {"Normal", "StudentT", "Uniform"}, {"Gamma", "LogNormal", "Exponential"}),
        (Y / 100.0, {"Beta", "Kumaraswamy", "Gamma"}, {"Binomial"}),
        (COUNTS, {"Poisson", "Geometric", "NegativeBinomial"}, {"Normal", "LogSeries", "Binomial", "Bernoulli"}),
        (COUNTS % 2, {"Bernoulli", "Poisson"}, {"Normal", "LogSeries"}),
        (COUNTS + 1, {"LogSeries", "Poisson"}, {"Gamma", "Bernoulli"}),
    ],
)
def test_plausible_families_hold_the_observations(y, inside, outside):
    found, _ = _plausible(_seen(y, None, None, None, "error"), None, {})
    assert inside <= {*found}
    assert not outside & {*found}


def test_whole_numbers_are_counts_unless_told_otherwise():
    seen = _seen(COUNTS, None, None, None, "error")
    found, notes = _plausible(seen, None, {"total_count": 20})
    assert "Binomial" in found
    assert "discrete=False" in notes[0]
    found, notes = _plausible(seen, False, {})
    assert "Normal" in found
    assert "Poisson" not in found
    assert notes == []
    with pytest.raises(UsageError, match="whole numbers"):
        _plausible(_seen(Y, None, None, None, "error"), True, {})


def test_auto_takes_the_best_of_all():
    ranking = fit_best(COUNTS)
    assert next(iter(ranking)) in ("NegativeBinomial", "Geometric")
    assert "Poisson" in ranking
    assert ranking.notes


def test_a_column_of_a_table_and_weights(tmp_path):

    table = pl.DataFrame({"y": [*Y, None], "w": [2.0] * 41})
    ranking = fit_best("y", NAMES, table, sample_weight="w", missing="drop")
    twice = fit_best(np.repeat(Y, 2), NAMES)
    assert [ranking[n].nll for n in NAMES] == pytest.approx([twice[n].nll for n in NAMES], rel=1e-12)
    assert ranking.best.missing == 1


@pytest.mark.parametrize(
    ("families", "options", "message"),
    [
        (["Gama"], {}, "did you mean 'Gamma'"),
        ("Gamma", {}, "'auto' or a list"),
        ([], {}, "at least one"),
        ([Normal(0.0, 1.0)], {}, "named, or classes"),
        (NAMES, {"criterion": "hic"}, "criterion"),
    ],
)
def test_wrong_calls_are_refused(families, options, message):
    with pytest.raises(UsageError, match=message):
        fit_best(Y, families, **options)


def test_the_record_prints_and_saves():
    ranking = fit_best(Y, NAMES, criterion="bic")
    saved = json.loads(ranking.to_json())
    assert [each["name"] for each in saved["ranked"]] == list(ranking)
    assert saved["ranked"][0]["fit"]["params"] == dict(ranking.best.params)
    assert "BIC" in ranking.summary()
    assert "<table>" in ranking._repr_html_()
    assert ranking.to_polars()["family"].to_list() == list(ranking)
    assert "3 families by BIC: Gamma first" in repr(ranking)
