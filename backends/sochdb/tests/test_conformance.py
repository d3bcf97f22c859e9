"""The contract, law by law."""

from clawdesk_storage.conformance.pytest import StorageConformance

from clawdesk_sochdb.backend import backend as sochdb


class TestSochDB(StorageConformance):
    """Every law that one handle can keep."""

    backend = sochdb
