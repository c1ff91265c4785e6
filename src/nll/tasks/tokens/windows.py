"""`nll.windows`: windows of a long text in which each token is scored exactly once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from nll.errors import DataError, UsageError

if TYPE_CHECKING:
    from nll.results.score import Score

Logits = Callable[[Any], Any]


class Window(NamedTuple):
    """A model reads tokens [start, stop) and is scored on tokens [first, stop)."""

    start: int
    stop: int
    first: int

    @property
    def rows(self) -> slice:
        """The rows of the logits of [start, stop) that predict [first, stop): each row predicts the token after it."""
        return slice(self.first - 1 - self.start, self.stop - 1 - self.start)


@dataclass(frozen=True, slots=True)
class Windows(Sequence[Window]):
    """Windows over `n_tokens`, of at most `context` tokens, that advance by `stride`.

    Token 0 has nothing before it and is not scored: put the token that begins a sequence before the text, if the model
    has one. Every other token is scored once, with at least context - stride tokens before it (or all there are).
    """

    n_tokens: int
    context: int
    stride: int

    def __len__(self) -> int:
        if self.n_tokens < 2:
            return 0
        return 1 + -(-max(self.n_tokens - self.context, 0) // self.stride)

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | Sequence[Window]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        i = range(len(self))[index]
        before = self.context + (i - 1) * self.stride
        stop = min(before + self.stride, self.n_tokens)
        return Window(max(0, stop - self.context), stop, before if i else 1)

    def score(self, ids: Any, logits: Logits) -> Score:
        """Return the NLL of token ids under a model, window by window.

        Parameters
        ----------
        ids : (n_tokens,) whole numbers.
        logits : a callable: of the ids (m,) of a window, the logits (m, V); row i is of the token after ids[i].

        Examples
        --------
        >>> import numpy as np
        >>> import nll
        >>> uniform = lambda ids: np.zeros((len(ids), 4))
        >>> s = nll.windows(10, context=4, stride=2).score(np.arange(10) % 4, uniform)
        >>> s.n, round(s.perplexity, 12)
        (9, 4.0)
        """
        from nll.tasks.running import Tally

        tally = Tally()
        for window, found in self._scored(ids, logits):
            tally.update(np.asarray(ids)[window.first : window.stop], found)
        source = f"{self.n_tokens:,} tokens in windows of context {self.context:,} and stride {self.stride:,}"
        return replace(tally.score(), source=source)

    def logprobs(self, ids: Any, logits: Logits) -> list[float | None]:
        """Return the log-probability of each token, None of the first: the `token_logprobs` of a plain log line.

        Write `context` and `stride` beside it, and `nll.compare_tokens` will not compare it with others.
        """
        from nll.tasks.score import rows

        values: list[float | None] = [None] * min(self.n_tokens, 1)
        for window, found in self._scored(ids, logits):
            values += [-float(loss) for loss in rows(np.asarray(ids)[window.first : window.stop], found)]
        return values

    def _scored(self, ids: Any, logits: Logits) -> Iterator[tuple[Window, Any]]:
        from nll.families.categorical import Categorical
        from nll.tasks.chunks import array_of

        every = np.asarray(ids)
        if every.shape != (self.n_tokens,):
            raise DataError(f"ids has shape {every.shape}; expected ({self.n_tokens},)")
        for window in self:
            found = array_of(logits(every[window.start : window.stop]), "logits")
            length = window.stop - window.start
            if found.ndim != 2 or len(found) != length:
                where = f"logits of the window [{window.start}, {window.stop})"
                raise DataError(f"{where} have shape {found.shape}; expected ({length}, V)")
            yield window, Categorical(logits=found[window.rows])


def windows(n_tokens: int, context: int, stride: int | None = None) -> Windows:
    """Return the windows in which a model with a limited context scores each token of a text exactly once.

    A smaller stride gives each token more context, and a lower perplexity: results of different context or stride do
    not compare.

    Parameters
    ----------
    n_tokens : of the text.
    context : the most tokens that the model reads at once, at least 2.
    stride : the tokens that each window after the first adds, at most context - 1, which is the default and the
        fewest windows: each then begins with the last token of the one before.

    Examples
    --------
    >>> import nll
    >>> [tuple(window) for window in nll.windows(10, context=4, stride=3)]
    [(0, 4, 1), (3, 7, 4), (6, 10, 7)]
    """
    given: list[int] = []
    for name, value in (
        ("n_tokens", n_tokens),
        ("context", context),
        ("stride", context - 1 if stride is None else stride),
    ):
        try:
            given.append(operator.index(value))
        except TypeError:
            raise UsageError(f"{name} is a whole number; got {value!r}") from None
    count, most, step = given
    if count < 0:
        raise UsageError(f"n_tokens is at least 0; got {count}")
    if most < 2:
        raise UsageError(f"context is at least 2, one token to read and one to predict; got {most}")
    if not 1 <= step < most:
        raise UsageError(f"stride is from 1 to context - 1 = {most - 1}, so that a token precedes each; got {step}")
    return Windows(count, most, step)
