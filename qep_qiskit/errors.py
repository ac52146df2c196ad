"""Errors and warnings that a user meets, each with one line that says what to do.

Every error of the package derives from `QepError`; the command line prints its message as one line and
leaves with exit code 2. Warnings derive from `QepWarning`, so that one filter catches them all.
"""

from __future__ import annotations

__all__ = [
    "AnsatzError",
    "BranchJumpWarning",
    "CoarseGridWarning",
    "CoarseTrotterWarning",
    "ConfigError",
    "DataError",
    "DegenerateGroundStateWarning",
    "DeviceError",
    "FolderBusyError",
    "IdleClusterWarning",
    "JobFailedError",
    "LedgerError",
    "NetworkError",
    "NoShotsWarning",
    "NudgeBeyondGapWarning",
    "NudgeError",
    "PausedError",
    "QepError",
    "QepWarning",
    "ResourceError",
    "ReversedDriverWarning",
    "RunFolderError",
    "StillQueuedError",
    "UnconnectedOutputWarning",
    "UnconvergedError",
    "UnconvergedWarning",
    "UnusedKeyWarning",
    "WorkerLostError",
]


class QepError(ValueError):
    """Base of every error this package raises on purpose; the message is one line."""


class AnsatzError(QepError):
    """A variational circuit cannot be used: its file, its gates, its angles or the names of its parameters."""


class ConfigError(QepError):
    """A configuration key is unknown, missing, or has a value that cannot be used."""


class DataError(QepError):
    """A data file or array cannot be used; the message names the file, the row and the column."""


class DeviceError(QepError):
    """A device, its service or the account cannot be used; the message says whether anything was submitted."""


class JobFailedError(QepError):
    """A job on a device failed, was cancelled or ran into its cap; what it was for is not done."""


class LedgerError(QepError):
    """The ledger of a run's jobs is damaged, in use, or says something else than the run."""


class NetworkError(QepError):
    """A network, cost or graph is not well defined (spin out of range, duplicate edge, ...)."""


class NudgeError(ConfigError):
    """A nudge is too strong for what it acts on: springs that no longer hold, a state that leaves its grid."""


class PausedError(QepError):
    """Nothing more is done in this process; a job that was sent goes on, and another process can collect it."""


class ResourceError(QepError):
    """The job does not fit in memory; the message says what would fit."""


class RunFolderError(QepError):
    """A run folder is foreign, damaged, or already in use."""


class FolderBusyError(RunFolderError):
    """Another process is at work in a folder."""


class StillQueuedError(QepError):
    """A job still waits after the time that was given; it can be collected later. The exit code is 3, not 2."""


class UnconvergedError(QepError):
    """A preparation did not converge, and the configuration says to stop then."""


class WorkerLostError(QepError):
    """A process that worked on a part of a study is gone; what was finished is kept. The exit code is 1, not 2."""


class QepWarning(UserWarning):
    """Base of every warning of this package."""


class BranchJumpWarning(QepWarning):
    """A nudged state does not belong to the free one: it lies on another branch of the spectrum."""


class CoarseGridWarning(QepWarning):
    """A position grid barely holds a state: it comes near the walls of its box, or its momentum near the largest."""


class CoarseTrotterWarning(QepWarning):
    """The Trotter step is too long for the coefficients: dt * max|coefficient| nears 1."""


class DegenerateGroundStateWarning(QepWarning):
    """The ground state is degenerate, or a symmetry fixes the outputs at zero."""


class IdleClusterWarning(QepWarning):
    """A cluster has no workers yet; what is handed to it waits for some."""


class NoShotsWarning(QepWarning):
    """Shots are given where nothing is random."""


class NudgeBeyondGapWarning(QepWarning):
    """The nudge is stronger than the gap allows for sure: |beta| range(C) exceeds the gap (Weyl)."""


class ReversedDriverWarning(QepWarning):
    """An adiabatic ramp starts from fields along X of the other sign than those it ends in."""


class UnconnectedOutputWarning(QepWarning):
    """An output spin has no path of couplings from any input."""


class UnconvergedWarning(QepWarning):
    """A preparation did not converge; its states are used as they are."""


class UnusedKeyWarning(QepWarning):
    """A key of the configuration is there and has no effect."""
