"""Broken stores, each with the laws that catch it: the proof that the laws can fail.

There is a module for each family of laws; a new one is imported here.
"""

from tests.mutants import (
    abilities,
    concurrency,
    config,
    conversations,
    corruption,
    durability,
    handles,
    killed,
    outage,
    reopening,
    sessions,
    sharing,
    storage,
    vectors,
)
from tests.mutants.mutant import MUTANTS, Mutant

__all__ = [
    "MUTANTS",
    "Mutant",
    "abilities",
    "concurrency",
    "config",
    "conversations",
    "corruption",
    "durability",
    "handles",
    "killed",
    "outage",
    "reopening",
    "sessions",
    "sharing",
    "storage",
    "vectors",
]
