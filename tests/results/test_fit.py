import json
import math
import pickle

import numpy as np
import pytest
from scipy import stats

from nll.errors import DataError, UsageError
from nll.families.binomial import Binomial
from nll.families.gamma import Gamma
from nll.families.negativebinomial import NegativeBinomial
from nll.families.normal import Normal
from nll.results.fit import Fit
from nll.results.fits import fits_of, joined
from nll.results.load import load
from nll.tasks.fit.fit import fit

COV = np.array([[0.04, 0.01], [0.01, 0.09]])


def gamma(**changed):
    given = {"cov": COV, "nll": 412.25, "n": 150, "weight": 150.0} | changed
    return Fit(Gamma, {"concentration": 2.0, "rate": 0.5}, ("concentration", "rate"), **given)


def test_errors_and_correlations_follow_from_the_covariance():
    f = gamma()
    assert f.stderr == f.bse == {"concentration": 0.2, "rate": 0.3}
    assert np.allclose(f.corr, [[1.0, 1.0 / 6.0], [1.0 / 6.0, 1.0]], rtol=1e-15)


def test_criteria_are_those_of_their_definitions():
    f = gamma()
    assert (f.k, f.loglik, f.llf) == (2, -412.25, -412.25)
    assert f.aic == 828.5
    assert f.bic == pytest.approx(824.5 + 2.0 * math.log(150.0), rel=1e-15)
    assert f.aicc == pytest.approx(828.5 + 12.0 / 147.0, rel=1e-15)
    assert gamma(n=3).aicc == math.inf


def test_fixed_parameters_are_not_counted_and_have_no_error():
    f = Fit(Gamma, {"concentration": 2.0, "rate": 0.5}, ("rate",), np.array([[0.09]]), 412.25, 150, 150.0)
    assert f.k == 1
    assert f.stderr == {"rate": 0.3}
    assert list(f.ci()) == ["rate"]
    with pytest.raises(UsageError, match="concentration was fixed"):
        f.profile("concentration")
    with pytest.raises(UsageError, match=r"no parameter 'rte' \(did you mean 'rate'"):
        f.ci(names="rte")


def test_wald_intervals_are_normal_on_the_line_of_the_link():
    z = stats.norm.ppf(0.95)
    low, high = gamma().ci(0.9)["rate"]
    assert (low, high) == pytest.approx((0.5 * math.exp(-z * 0.6), 0.5 * math.exp(z * 0.6)), rel=1e-14)
    p = Fit(Binomial, {"total_count": 5.0, "probs": 0.2}, ("probs",), np.array([[0.01]]), 9.0, 10, 10.0)
    place, error = math.log(0.25), 0.1 / 0.16
    wanted = [1.0 / (1.0 + math.exp(-(place + side * z * error))) for side in (-1, 1)]
    assert p.ci(0.9)["probs"] == pytest.approx(wanted, rel=1e-14)
    n = Fit(Normal, {"loc": 3.0, "scale": 1.0}, ("loc",), np.array([[0.04]]), 9.0, 10, 10.0)
    assert n.ci(0.9)["loc"] == pytest.approx((3.0 - 0.2 * z, 3.0 + 0.2 * z), rel=1e-14)


def test_the_unconstrained_covariance_maps_back_to_the_covariance():
    f = gamma()
    places, cov = f.unconstrained
    assert places == {"concentration": math.log(2.0), "rate": math.log(0.5)}
    jacobian = np.diag([2.0, 0.5])
    assert np.allclose(jacobian @ cov @ jacobian, COV, rtol=1e-15)


def test_no_standard_error_is_made_where_there_is_none():
    f = gamma(cov=np.full((2, 2), np.nan), cov_ok=False, at_boundary=("rate",), warnings=("rate is at its end",))
    assert all(map(math.isnan, f.stderr.values()))
    assert all(math.isnan(end) for ends in f.ci().values() for end in ends)
    assert "NO STANDARD ERRORS" in repr(f)
    assert "Warning: rate is at its end" in f.summary()
    assert "at boundary" in f.summary()


def test_what_did_not_converge_says_so_everywhere():
    f = gamma(converged=False, warnings=("the likelihood is <unbounded>",))
    assert "NOT CONVERGED" in repr(f)
    assert "\n" not in repr(f)
    assert "NOT CONVERGED" in f.summary()
    assert "NOT CONVERGED" in f._repr_html_()
    assert "&lt;unbounded&gt;" in f._repr_html_()
    assert "<unbounded>" not in f._repr_html_()


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
def test_a_level_is_a_probability(level):
    with pytest.raises(UsageError, match="between 0 and 1"):
        gamma().ci(level)


def test_an_unknown_method_or_option_is_refused():
    with pytest.raises(UsageError, match="profile"):
        gamma().ci(method="profil")
    with pytest.raises(UsageError, match="replicates"):
        gamma().ci(replicates=3)


@pytest.mark.parametrize("ask", [lambda f: f.ci(method="profile"), lambda f: f.goodness(), lambda f: f.row_losses()])
def test_a_fit_without_data_says_what_needs_them(ask):
    with pytest.raises(UsageError, match="needs the data"):
        ask(load(gamma().to_json()))


def test_the_fitted_distribution_scores_and_samples():
    f = gamma()
    assert f.dist.log_prob(2.0) == pytest.approx(stats.gamma.logpdf(2.0, 2.0, scale=2.0), rel=1e-14)
    assert f.sample(4, rng=1).shape == (4,)
    assert (f.sample(4, rng=1) == f.sample(4, rng=1)).all()


def test_json_keeps_every_number_and_the_form():
    f = Fit(
        NegativeBinomial.form_for((), {"total_count": 0, "probs": 0}),
        {"total_count": 0.1, "probs": 1.0 / 3.0},
        ("total_count", "probs"),
        np.array([[math.nan, math.nan], [math.nan, 1e-300]]),
        math.inf,
        7,
        7.5,
        converged=False,
        warnings=('a "quoted" <word>', "ü"),
        at_boundary=("probs",),
        missing=2,
        impossible=1,
        source="x.csv",
    )
    again = load(f.to_json())
    assert again.family is f.family
    assert json.dumps(again.to_dict()) == json.dumps(f.to_dict())
    assert (again.cov == f.cov)[1, 1]
    assert again.nll == math.inf


def test_a_fit_with_parameters_by_row_keeps_the_names_of_columns_only():
    f = Fit(Binomial, {"probs": 0.2}, ("probs",), np.array([[0.01]]), 9.0, 10, 10.0, by_row={"total_count": "trials"})
    assert load(f.to_json()).by_row == {"total_count": "trials"}
    assert repr(f.dist) == "Binomial(total_count='trials', probs=0.2)"
    values = Fit(Binomial, {"probs": 0.2}, ("probs",), np.array([[0.01]]), 9.0, 2, 2.0, by_row={"total_count": [3, 4]})
    assert load(values.to_json()).by_row == {}
    with pytest.raises(UsageError, match="lacks total_count, fixed to a value a row, which a saved fit has not"):
        _ = load(values.to_json()).dist
    with pytest.raises(UsageError, match="total_count differs by row"):
        f.derive("probs*total_count")
    with pytest.raises(UsageError, match="differs by row"):
        f.derive("mean")


def test_load_reads_a_file(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(gamma().to_json(), "utf-8")
    assert load(path).to_dict() == load(str(path)).to_dict() == gamma().to_dict()
    with pytest.raises(DataError, match="cannot read"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(nll="score"), "no saved fit"),
        (lambda d: d.update(version=99), "version 99"),
        (lambda d: d["family"].update(form={"family": "os.system", "parameters": []}), "os.system"),
        (lambda d: d.update(free=["rate"]), "shape"),
        (lambda d: d["params"].update(scale=1.0), "no parameter 'scale'"),
        (lambda d: d["params"].update(rate="1e5"), "broken fit"),
        (lambda d: d.update(cov=[[1, 2], [3]]), "broken fit"),
        (lambda d: d.update(n=-1), "no count"),
        (lambda d: d.update(n=2**63), "no count"),
        (lambda d: d.pop("loss"), "broken fit"),
    ],
)
def test_what_is_no_fit_is_refused(change, message):
    document = json.loads(gamma().to_json())
    change(document)
    with pytest.raises(DataError, match=message):
        load(json.dumps(document))


@pytest.mark.parametrize("text", ["{", "{}", '{"nll": []}', "{" * 5000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(DataError):
        load(text)


def test_a_table_has_one_row_a_parameter():
    table = gamma(at_boundary=("rate",)).to_polars()
    assert table["parameter"].to_list() == ["concentration", "rate"]
    assert table["stderr"].to_list() == [0.2, 0.3]
    assert table["at_boundary"].to_list() == [False, True]


def groups():
    return fits_of(("g",), ["a", "b <i>"], Gamma, [gamma(), gamma(nll=7.0, converged=False, warnings=("flat",))])


def test_groups_give_the_fit_of_a_key():
    fits = groups()
    assert list(fits) == ["a", "b <i>"]
    assert fits["a"].to_dict() == gamma().to_dict()
    assert fits["b <i>"].warnings == ("flat",)
    with pytest.raises(KeyError):
        fits["c"]
    assert "1 NOT CONVERGED" in repr(fits)
    assert "&lt;i&gt;" in fits._repr_html_()
    assert "NOT CONVERGED" in fits.summary()


def test_groups_as_a_table_and_as_json():
    fits = groups()
    table = fits.to_polars()
    assert table["g"].to_list() == ["a", "b <i>"]
    assert table["rate_stderr"].to_list() == [0.3, 0.3]
    assert table["converged"].to_list() == [True, False]
    assert load(fits.to_json()).to_dict() == fits.to_dict()
    pair = fits_of(("g", "rate"), [("a", 1), ("a", 2)], Gamma, [gamma(), gamma()])
    assert load(pair.to_json())[("a", 2)].to_dict() == gamma().to_dict()
    assert pair.to_polars()["rate"].to_list() == [1, 2]
    assert pair.to_polars()["rate_fit"].to_list() == [0.5, 0.5]


def test_joined_groups_follow_each_other():
    both = joined([groups(), groups()])
    assert len(both) == 4
    assert both.at(3).nll == 7.0
    assert both.cov.shape == (4, 2, 2)


def test_a_fit_can_be_sent_to_a_worker():
    f = fit([1.0, 2.0, 4.0, 9.0], Gamma)
    again = pickle.loads(pickle.dumps(f))
    assert again.to_dict() == f.to_dict()
    assert (again.row_losses() == f.row_losses()).all()
