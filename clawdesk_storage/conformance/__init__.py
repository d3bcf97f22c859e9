"""The conformance suite: laws that any implementation of the ports can be tried against.

backend = Backend(open_storage)
report = await verify(backend)
"""

from clawdesk_storage.conformance.backend import Backend, BackendError, load
from clawdesk_storage.conformance.law import Law
from clawdesk_storage.conformance.running.runner import laws, verify
from clawdesk_storage.conformance.telling.report import LawResult, Outcome, Report
from clawdesk_storage.conformance.trial import LawViolation

__all__ = [
    "Backend",
    "BackendError",
    "Law",
    "LawResult",
    "LawViolation",
    "Outcome",
    "Report",
    "laws",
    "load",
    "verify",
]
