"""How fast a backend is, and how its cost grows: measured through the ports alone."""

from clawdesk_storage.bench.cell import Cell, Measures, Throughput
from clawdesk_storage.bench.growth import Growth
from clawdesk_storage.bench.latency import Latency
from clawdesk_storage.bench.plan import Budget
from clawdesk_storage.bench.report import Report, Target
from clawdesk_storage.bench.runner import Observer, Run, prepare

__all__ = [
    "Budget",
    "Cell",
    "Growth",
    "Latency",
    "Measures",
    "Observer",
    "Report",
    "Run",
    "Target",
    "Throughput",
    "prepare",
]
