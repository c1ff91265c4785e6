"""Pictures, as Altair charts that save without a network: `nll.plots.loss().save("loss.svg")` or `save(chart, path)`.

Altair comes with the extra `nll[plots]` and is imported when a picture is made.
"""

from nll.plots.loss import loss
from nll.plots.output import FORMATS, save
from nll.plots.reliability import reliability

__all__ = ["FORMATS", "loss", "reliability", "save"]
