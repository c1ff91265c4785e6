"""Score, fit and compare probabilistic models by negative log-likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nll.version import __version__ as __version__

if TYPE_CHECKING:
    from nll import data as data
    from nll import engines as engines
    from nll import errors as errors
    from nll import plots as plots
    from nll.families.bernoulli import Bernoulli as Bernoulli
    from nll.families.beta import Beta as Beta
    from nll.families.betabinomial import BetaBinomial as BetaBinomial
    from nll.families.binomial import Binomial as Binomial
    from nll.families.categorical import Categorical as Categorical
    from nll.families.cauchy import Cauchy as Cauchy
    from nll.families.exponential import Exponential as Exponential
    from nll.families.gamma import Gamma as Gamma
    from nll.families.generalizednormal import GeneralizedNormal as GeneralizedNormal
    from nll.families.generalizedpareto import GeneralizedPareto as GeneralizedPareto
    from nll.families.geometric import Geometric as Geometric
    from nll.families.gev import GEV as GEV
    from nll.families.gumbel import Gumbel as Gumbel
    from nll.families.gumbelmin import GumbelMin as GumbelMin
    from nll.families.halfcauchy import HalfCauchy as HalfCauchy
    from nll.families.halfnormal import HalfNormal as HalfNormal
    from nll.families.hurdle import Hurdle as Hurdle
    from nll.families.independent import Independent as Independent
    from nll.families.inversegamma import InverseGamma as InverseGamma
    from nll.families.inversegaussian import InverseGaussian as InverseGaussian
    from nll.families.kumaraswamy import Kumaraswamy as Kumaraswamy
    from nll.families.laplace import Laplace as Laplace
    from nll.families.logistic import Logistic as Logistic
    from nll.families.loglogistic import LogLogistic as LogLogistic
    from nll.families.lognormal import LogNormal as LogNormal
    from nll.families.logseries import LogSeries as LogSeries
    from nll.families.mixture import Mixture as Mixture
    from nll.families.multivariatenormal import MultivariateNormal as MultivariateNormal
    from nll.families.negativebinomial import NegativeBinomial as NegativeBinomial
    from nll.families.normal import Normal as Normal
    from nll.families.own import family as family
    from nll.families.pareto import Pareto as Pareto
    from nll.families.poisson import Poisson as Poisson
    from nll.families.rayleigh import Rayleigh as Rayleigh
    from nll.families.skewnormal import SkewNormal as SkewNormal
    from nll.families.studentt import StudentT as StudentT
    from nll.families.transformed import Transformed as Transformed
    from nll.families.truncated import Truncated as Truncated
    from nll.families.uniform import Uniform as Uniform
    from nll.families.vonmises import VonMises as VonMises
    from nll.families.weibull import Weibull as Weibull
    from nll.families.zeroinflated import ZeroInflated as ZeroInflated
    from nll.results.check import Check as Check
    from nll.results.check import TableCheck as TableCheck
    from nll.results.fit import Fit as Fit
    from nll.results.fits import Fits as Fits
    from nll.results.group_scores import GroupScores as GroupScores
    from nll.results.load import load as load
    from nll.results.score import Score as Score
    from nll.results.score import Scores as Scores
    from nll.tasks.check import check as check
    from nll.tasks.compare.bootstrap import bootstrap as bootstrap
    from nll.tasks.compare.compare import compare as compare
    from nll.tasks.compare.cross_validate import cross_validate as cross_validate
    from nll.tasks.compare.diebold_mariano import diebold_mariano as diebold_mariano
    from nll.tasks.compare.holm import holm as holm
    from nll.tasks.compare.lrt import lrt as lrt
    from nll.tasks.compare.matrix import loo as loo
    from nll.tasks.compare.matrix import loo_compare as loo_compare
    from nll.tasks.compare.matrix import stacking as stacking
    from nll.tasks.compare.matrix import waic as waic
    from nll.tasks.compare.sequential import ConfidenceSequence as ConfidenceSequence
    from nll.tasks.compare.signs import sign_test as sign_test
    from nll.tasks.compare.signs import wilcoxon as wilcoxon
    from nll.tasks.compare.vuong import vuong as vuong
    from nll.tasks.decompose.contributions import contributions as contributions
    from nll.tasks.decompose.decompose import decompose as decompose
    from nll.tasks.fit.fit import fit as fit
    from nll.tasks.fit.joint import joint as joint
    from nll.tasks.fit.rank import fit_best as fit_best
    from nll.tasks.groups import score_groups as score_groups
    from nll.tasks.information import cross_entropy as cross_entropy
    from nll.tasks.information import entropy as entropy
    from nll.tasks.information import kl as kl
    from nll.tasks.observed import binned as binned
    from nll.tasks.observed import censored as censored
    from nll.tasks.observed import interval as interval
    from nll.tasks.observed import truncated as truncated
    from nll.tasks.pieces import categorical_from_chunks as categorical_from_chunks
    from nll.tasks.running import Tally as Tally
    from nll.tasks.score import rows as rows
    from nll.tasks.score import score as score
    from nll.tasks.sequences.chain import MarkovChain as MarkovChain
    from nll.tasks.sequences.chain import NGram as NGram
    from nll.tasks.sequences.hidden import HiddenMarkov as HiddenMarkov
    from nll.tasks.tokens.compare import compare_tokens as compare_tokens
    from nll.tasks.tokens.look import document_tokens as document_tokens
    from nll.tasks.tokens.tokens import tokens as tokens
    from nll.tasks.tokens.windows import windows as windows

# Loaded when first used, so that `import nll` costs nothing and each user pays for what they call.
_PLACES = {
    "binned": "nll.tasks.observed",
    "censored": "nll.tasks.observed",
    "categorical_from_chunks": "nll.tasks.pieces",
    "check": "nll.tasks.check",
    "contributions": "nll.tasks.decompose.contributions",
    "cross_entropy": "nll.tasks.information",
    "decompose": "nll.tasks.decompose.decompose",
    "entropy": "nll.tasks.information",
    "kl": "nll.tasks.information",
    "bootstrap": "nll.tasks.compare.bootstrap",
    "compare": "nll.tasks.compare.compare",
    "cross_validate": "nll.tasks.compare.cross_validate",
    "diebold_mariano": "nll.tasks.compare.diebold_mariano",
    "holm": "nll.tasks.compare.holm",
    "lrt": "nll.tasks.compare.lrt",
    "loo": "nll.tasks.compare.matrix",
    "loo_compare": "nll.tasks.compare.matrix",
    "stacking": "nll.tasks.compare.matrix",
    "waic": "nll.tasks.compare.matrix",
    "ConfidenceSequence": "nll.tasks.compare.sequential",
    "sign_test": "nll.tasks.compare.signs",
    "wilcoxon": "nll.tasks.compare.signs",
    "vuong": "nll.tasks.compare.vuong",
    "family": "nll.families.own",
    "Hurdle": "nll.families.hurdle",
    "Independent": "nll.families.independent",
    "Mixture": "nll.families.mixture",
    "Transformed": "nll.families.transformed",
    "Truncated": "nll.families.truncated",
    "ZeroInflated": "nll.families.zeroinflated",
    "fit": "nll.tasks.fit.fit",
    "Fit": "nll.results.fit",
    "Fits": "nll.results.fits",
    "load": "nll.results.load",
    "fit_best": "nll.tasks.fit.rank",
    "joint": "nll.tasks.fit.joint",
    "interval": "nll.tasks.observed",
    "rows": "nll.tasks.score",
    "score": "nll.tasks.score",
    "score_groups": "nll.tasks.groups",
    "HiddenMarkov": "nll.tasks.sequences.hidden",
    "MarkovChain": "nll.tasks.sequences.chain",
    "NGram": "nll.tasks.sequences.chain",
    "truncated": "nll.tasks.observed",
    "Tally": "nll.tasks.running",
    "tokens": "nll.tasks.tokens.tokens",
    "compare_tokens": "nll.tasks.tokens.compare",
    "document_tokens": "nll.tasks.tokens.look",
    "windows": "nll.tasks.tokens.windows",
    "Check": "nll.results.check",
    "TableCheck": "nll.results.check",
    "GroupScores": "nll.results.group_scores",
    "Score": "nll.results.score",
    "Scores": "nll.results.score",
}
_MODULES = ("data", "engines", "errors", "plots")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"nll.{name}")
    if name == "plot":
        return import_module("nll.plots")
    if name in _PLACES:
        if _PLACES[name].startswith("nll.families."):
            import_module("nll.kernels.values")  # instances compile for many rows
        return getattr(import_module(_PLACES[name]), name)
    from nll.families import families

    import_module("nll.kernels.values")  # instances compile for many rows
    if name in families():
        return families()[name]
    from nll.errors import nearest

    raise AttributeError(f"module 'nll' has no attribute {name!r}{nearest(name, __dir__())}")


def __dir__() -> list[str]:
    from nll.families import families

    return sorted([*_PLACES, *_MODULES, *families(), "plot", "__version__"])
