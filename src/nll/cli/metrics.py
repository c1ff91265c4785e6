"""The numbers of `nll watch` as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from nll.tasks.watch.watch import Watch


class Numbers(Collector):
    """Counters of all rows, and gauges of the latest window; made anew for each reader."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def collect(self) -> Iterator[Any]:
        """Yield the numbers."""
        with self.watch.lock:
            yield from list(self._numbers(self.watch))

    def _numbers(self, watch: Watch) -> Iterator[Any]:
        total, current = watch.total.score(), watch.current()
        for name, words, value in (
            ("files", "Files scored", watch.files),
            ("failures", "Files that could not be scored", watch.failures),
            ("files_changed", "Files that changed after they were scored", watch.changed),
            ("rows", "Rows scored", total.n),
            ("rows_impossible", "Rows of probability 0 under the model", total.impossible),
            ("rows_missing", "Rows dropped for an empty cell", total.missing),
            ("rows_clipped", "Rows whose probability was raised to the clip", total.clipped),
        ):
            yield CounterMetricFamily(f"nll_{name}", words, value=value)
        if total.n:
            yield GaugeMetricFamily("nll_mean_nats", "Mean NLL of all rows, in nats", value=total.mean)
        if watch.baseline is not None:
            yield GaugeMetricFamily("nll_baseline_nats", "Mean NLL to hold, in nats", value=watch.baseline.mean)
            yield GaugeMetricFamily("nll_alerts", "Windows with an alert", value=len(watch.alerts))
        if current is not None:
            score = current.tally.score()
            for name, words, value in (
                ("mean_nats", "Mean NLL, in nats", score.mean),
                ("stderr_nats", "Standard error of the mean NLL, in nats", score.stderr),
                ("rows", "Rows", score.n),
                ("alert", "1 if there is an alert", float(bool(current.alert))),
            ):
                yield GaugeMetricFamily(f"nll_window_{name}", f"{words}, of the latest window", value=value)
