import pytest
from hypothesis import given
from hypothesis import strategies as st

from nll.errors import UsageError
from nll.families import families
from nll.families.expression import MOST_CHARACTERS, parse_distribution


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
        ("[" * 5000, "nested more than 8 deep"),
        ("Normal(" * 5000, "nested more than 8 deep"),
        ("Normal(Normal(0, 1), 1)", r"not supported yet.*character 8"),
        ("__import__('os')", "no family '__import__'"),
        ("x" * (MOST_CHARACTERS + 1), "at most"),
    ],
)
def test_a_wrong_text_says_what_and_where(text, message):
    with pytest.raises(UsageError, match=message):
        parse_distribution(text)


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
