import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nll.errors import UsageError
from nll.families import families
from nll.families.expression import COMBINED, MOST_CHARACTERS, parse_distribution, parse_family


@pytest.mark.parametrize(
    ("text", "family", "theta"),
    [
        ("Bernoulli(probs=p)", "Bernoulli", {"probs": "p"}),
        ("Bernoulli(logits = z)", "Bernoulli", {"logits": "z"}),
        (" Normal ( mu , s , ) ", "Normal", {"loc": "mu", "scale": "s"}),
        ("Normal(mu, scale=1e-3)", "Normal", {"loc": "mu", "scale": 0.001}),
        ("Normal(loc=-1, scale='scale col')", "Normal", {"loc": -1, "scale": "scale col"}),
        ('Normal(loc="it\'s", scale=`a``b`)', "Normal", {"loc": "it's", "scale": "a`b"}),
        ("Normal(loc='a, b)', scale=+2.)", "Normal", {"loc": "a, b)", "scale": 2.0}),
        ("Normal(loc=lambda, scale=model.s)", "Normal", {"loc": "lambda", "scale": "model.s"}),
        ("Normal(loc=größe, scale=.5)", "Normal", {"loc": "größe", "scale": 0.5}),
        ("Categorical(logits=[z0, z1, 'z 2'])", "Categorical", {"logits": ["z0", "z1", "z 2"]}),
        ("Categorical(probs=[0.25, 0.75])", "Categorical", {"probs": [0.25, 0.75]}),
    ],
)
def test_a_text_is_a_distribution(text, family, theta):
    found = parse_distribution(text)
    assert type(found).family.__name__ == family
    assert found.theta == theta
    assert type(found).parameters.keys() == theta.keys()
    assert [type(value) for value in found.theta.values()] == [type(value) for value in theta.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Bernouli(probs=p)", r"no family 'Bernouli' \(did you mean 'Bernoulli'\?\) \(character 1 of"),
        ("normal(mu, s)", "did you mean 'Normal'"),
        ("Zzzz(p)", "there are Bernoulli, .*Normal"),
        ("Bernoulli(prob=p)", r"no parameter 'prob' \(did you mean 'probs'\?\).*character 11 of"),
        ("Bernoulli(probs=p, logits=z)", r"Bernoulli is written Bernoulli\(probs\) or Bernoulli\(logits\)"),
        ("Bernoulli", r"needs parameters: Bernoulli\(probs\) or"),
        ("p", r"a distribution is written Family\(parameters\)"),
        ("3", r"a distribution is written Family\(parameters\)"),
        ("", "the text ends"),
        ("Bernoulli(probs=p", r"expected ',' or '\)', and the text ends \(character 18 of"),
        ("Bernoulli(probs=p))", r"expected the end, and '\)' was found \(character 19 of"),
        ("Bernoulli(probs=p) if", "expected the end, and 'if' was found"),
        ("Bernoulli(probs=)", "expected a column, a number or a list"),
        ("Normal(loc=1, mu)", "without a name follows one with a name"),
        ("Normal(loc=1, loc=2)", r"loc is given twice \(character 15"),
        ("Normal(mu s)", "and 's' was found"),
        ("Normal(2x, 1)", "'2x' is neither a number nor a name"),
        ("Normal(a-b, 1)", "'-b' is neither"),
        ("Normal(1_000, 1)", "'1_000' is neither"),
        ("Normal(*a)", r"'\*a' is neither"),
        ("Normal('a, 1)", "begins with ' and does not end"),
        ("Normal('', 1)", "a column without a name"),
        ("Normal(1e999, 1)", "too large"),
        ("Categorical([])", "at least one"),
        ("Categorical([a, 1])", "not both"),
        ("Categorical([[1]])", "not both"),
        ("[" * 5000, "nested more than 16 deep"),
        ("Normal(" * 5000, "nested more than 16 deep"),
        ("Normal(Normal(0, 1), 1)", r"made of others by Hurdle, Independent, Mixture.*character 8"),
        ("Mixture", r"Mixture is made of distributions: Mixture\(\["),
        ("Mixture()", "made of its first argument"),
        ("Mixture([])", "list of parts"),
        ("Mixture([Normal, 2])", r"Normal needs parameters.*character 10"),
        ("Mixture([Normal(0, 1)], weights=w)", r"weights is a list.*character 25"),
        ("Mixture([Normal(0, 1)], weights=[[1]])", "not both"),
        ("Mixture([Normal(0, 1)], weights=[Normal(0, 1)])", "not both"),
        ("Mixture([Normal(0, 1), Poisson(2)], weights=[1, 0])", "of counts or of none"),
        ("Mixture([Normal(0, 1), Normal(2, 1)], weights=[1])", "2 parts has 2 weights"),
        ("ZeroInflated(Poisson, gate=g)", r"Poisson needs parameters.*character 14"),
        ("ZeroInflated(Normal(0, 1), gate=g)", "no zeros to inflate"),
        ("ZeroInflated(Poisson(2), gat=g)", "unexpected keyword argument 'gat'; ZeroInflated is written"),
        ("ZeroInflated(Poisson(2))", "takes gate"),
        ("ZeroInflated(Poisson(2), Poisson(3))", r"no column and no number.*character 26"),
        ("Transformed(Normal(0, 1), expp)", "did you mean 'exp'"),
        ("Transformed(Poisson(2), exp)", "needs a density"),
        ("Truncated(Norml(0, 1))", r"did you mean 'Normal'.*character 11"),
        ("Independent(Categorical([0.5, 0.5]))", "observes rows"),
        ("Truncated(" * 7 + "Normal(0, Normal(1, 1))" + ")" * 7, "Normal of Normal"),
        ("Interval(Normal(0, 1), upper=2)", "no family 'Interval'"),
        ("__import__('os')", "no family '__import__'"),
        ("x" * (MOST_CHARACTERS + 1), "at most"),
    ],
)
def test_a_wrong_text_says_what_and_where(text, message):
    with pytest.raises(UsageError, match=message):
        parse_distribution(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ZeroInflated(Poisson(rate=mu), gate=g)", "ZeroInflated(Poisson(rate='mu'), gate='g')"),
        ("Hurdle(Gamma(2, 1), 0.3)", "Hurdle(Gamma(concentration=2, rate=1), gate=0.3)"),
        (
            "Mixture([Normal(0, 1), Normal(m, s)], weights=[0.3, w])",
            "Mixture([Normal(loc=0, scale=1), Normal(loc='m', scale='s')], weights=[0.3, 'w'])",
        ),
        ("Truncated(Gamma(2, 1), low=1)", "Truncated(Gamma(concentration=2, rate=1), low=1)"),
        ("Truncated(Gamma(2, 1), 1, 'an end')", "Truncated(Gamma(concentration=2, rate=1), low=1, high='an end')"),
        ("Transformed(Normal(mu, s), exp)", "Transformed(Normal(loc='mu', scale='s'), 'exp')"),
        (
            "Transformed(Gamma(2, 1), 'power', exponent=-1)",
            "Transformed(Gamma(concentration=2, rate=1), 'power', exponent=-1)",
        ),
        ("Independent(Normal([a, b], 1))", "Independent(Normal(loc=['a', 'b'], scale=1))"),
        (
            "Truncated(Mixture([Gamma(1, 2), Laplace(0, 1)], weights=[0.5, 0.5]), low=1)",
            "Truncated(Mixture([Gamma(concentration=1, rate=2), Laplace(loc=0, scale=1)], weights=[0.5, 0.5]), low=1)",
        ),
    ],
)
def test_a_text_may_combine_distributions(text, shown):
    found = parse_distribution(text)
    assert repr(found) == shown
    again = parse_distribution(shown)
    assert type(again) is type(found)
    assert again.theta == found.theta


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("Normal", "Normal(loc, scale)"),
        ("NegativeBinomial", "NegativeBinomial(mean, dispersion)"),
        ("NegativeBinomial(mean, size)", "NegativeBinomial(mean, size)"),
        ("ZeroInflated(Poisson)", "ZeroInflated(Poisson)(rate, gate)"),
        ("Hurdle(NegativeBinomial(total_count, probs))", "Hurdle(NegativeBinomial)(total_count, probs, gate)"),
        ("Mixture(Normal, 2)", "Mixture(Normal, 2)(loc_1, scale_1, loc_2, scale_2, weight_1, weight_2)"),
        (
            "Mixture([Normal, Laplace])",
            "Mixture([Normal, Laplace])(loc_1, scale_1, loc_2, scale_2, weight_1, weight_2)",
        ),
        ("Truncated(Poisson, low=1)", "Truncated(Poisson, low=1)(rate, low=1, high=inf)"),
        ("Transformed(Normal, exp)", "Transformed(Normal, exp)(loc, scale)"),
        ("Independent(Normal)", "Independent(Normal)(loc, scale)"),
    ],
)
def test_a_text_names_a_family(text, signature):
    assert parse_family(text).signature() == signature


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Norml", r"no family 'Norml' \(did you mean 'Normal'"),
        ("Normal(0, 1)", r"a family is written Normal, or by its parameters Normal\(loc, scale\)"),
        ("Normal(loc=m, scale=s)", "by its parameters"),
        ("NegativeBinomial(mean, sise)", "no parameter 'sise'"),
        ("Mixture", r"a family is written Mixture\(Normal, 2\)"),
        ("Mixture(Normal)", "how many parts"),
        ("Mixture(Normal, two)", "how many parts"),
        ("Mixture(Normal, 100)", "1 to 64"),
        ("ZeroInflated(Poisson(2))", "a family is written Poisson"),
        ("Truncated(Poisson, low=a)", "is a number"),
        ("3", "a family is written"),
        ("[Normal]", "a family is written"),
        ("", "the text ends"),
        ("Truncated(" * 9 + "Normal" + ")" * 9, "nested at most 8 deep"),
        ("x" * (MOST_CHARACTERS + 1), "the family has"),
    ],
)
def test_a_text_that_names_no_family_says_why(text, message):
    with pytest.raises(UsageError, match=message):
        parse_family(text)


VALID = [
    "ZeroInflated(Poisson(rate=mu), gate=g)",
    "Mixture([Normal(0, 1), Normal(m, 's')], weights=[0.3, w])",
    "Truncated(Gamma(2, 1), low=1, high=x)",
    "Transformed(Gamma(2, 1), power, exponent=2)",
    "Independent(Normal(loc=[a, b], scale=1))",
    "Mixture(Normal, 2)",
    "Truncated(Poisson, low=1)",
    "Hurdle(NegativeBinomial(mean, size))",
]
PIECES = [
    *"()[],='`",
    "1e3",
    "-1",
    "weights=",
    "low=",
    "exp",
    "gate=",
    *COMBINED,
    "Normal",
    "Poisson",
    "Gamma",
    "part=",
]


@st.composite
def mutated(draw):
    """A valid text with a few pieces cut out, put in or moved."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.sampled_from(["", "", *PIECES, text[stop : stop + 15]])) + text[stop:]
    return text


@settings(deadline=None, max_examples=300)
@given(st.one_of(mutated(), st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_any_text_is_read_or_refused_by_a_usage_error(text):
    for parse in (parse_distribution, parse_family):
        with contextlib.suppress(UsageError):
            assert parse(text) is not None


WORDS = [
    "Normal",
    "Bernoulli",
    "probs",
    "loc",
    "p",
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    "1e-3",
    "-2",
    "'a b'",
    "`",
    '"',
    " ",
    "\n",
]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=20).map("".join)))
def test_any_text_is_a_distribution_or_a_usage_error(text):
    try:
        found = parse_distribution(text)
    except UsageError:
        return
    assert type(found).family.__name__ in text


COLUMNS = st.text(min_size=1, max_size=12)


@given(COLUMNS, st.floats(allow_nan=False, allow_infinity=False), st.sampled_from("'\"`"))
def test_any_column_can_be_quoted_and_any_number_written(column, value, quote):
    quoted = quote + column.replace(quote, quote * 2) + quote
    found = parse_distribution(f"Normal(loc={quoted}, scale={value!r})")
    assert found.theta == {"loc": column, "scale": value}


def test_every_form_of_every_family_is_reached_by_its_names():
    for family in families().values():
        for form in family.forms:
            arguments = ", ".join(f"{name}={name}" for name in form.parameters)
            assert type(parse_distribution(f"{family.__name__}({arguments})")) is form
