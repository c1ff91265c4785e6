"""Pictures, as Altair charts that save without a network: `nll.plots.loss().save("loss.svg")` or `save(chart, path)`.

Altair comes with the extra `nll[plots]` and is imported when a chart is made. `strip` makes a page of HTML by itself.
"""

from nll.plots.loss import loss
from nll.plots.output import FORMATS, save
from nll.plots.pit import pit
from nll.plots.position import nll_by_position
from nll.plots.reliability import reliability
from nll.plots.strip import Strip, strip

__all__ = ["FORMATS", "Strip", "loss", "nll_by_position", "pit", "reliability", "save", "strip"]
