"""The two families of errors that a user can cause, both `ValueError`s.

A message says where, what was expected, what was found and what to do about it.
"""

from __future__ import annotations


class FuselineError(ValueError):
    """Anything a user can mend; shown as one message, without a traceback."""


class ConfigError(FuselineError):
    """A value in `params.yaml` or on a command line is wrong."""


class ContractError(FuselineError):
    """An artefact, a table or an input file is not what its contract says."""
