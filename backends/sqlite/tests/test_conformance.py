"""The contract's laws, tried on this backend."""

from clawdesk_storage.conformance.pytest import StorageConformance

from clawdesk_sqlite.backend import backend as sqlite


class TestSQLite(StorageConformance):
    """Every law the backend claims holds."""

    backend = sqlite
