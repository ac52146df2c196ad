"""Define the errors and warnings of the package; each is one line that says what to do.

Every error derives from `QepError`; the command line prints its message as one line and exits with code 2. Every
warning derives from `QepWarning`, so that one filter catches them all.
"""

from __future__ import annotations

from typing import Literal

Severity = Literal["note", "warning", "serious"]
SEVERITIES: dict[Severity, str] = {"note": "note", "warning": "warning", "serious": "serious warning"}
"""Names of the severities as they are shown, in ascending order."""
"""How much a warning says against a result: worth knowing, to be looked into, or the result is not what it seems."""


NEEDS_RUNTIME = "needs qiskit-ibm-runtime; install with pip install 'qep_qiskit[ibm]'"
"""What is missing, and what to do, where the extra ``ibm`` is not installed."""


class QepError(ValueError):
    """Base of every error this package raises on purpose; the message is one line.

    Example:
        >>> isinstance(qep.ConfigError("a line"), qep.QepError)
        True
    """


class AnsatzError(QepError):
    """A variational circuit cannot be used: its file, its gates, its angles or the names of its parameters.

    Example:
        >>> try:
        ...     qep.hardware_efficient(0, depth=1)
        ... except qep.AnsatzError as error:
        ...     print(error)
        ...
        hardware-efficient ansatz: expected qubits and a depth of 0 or more, got 0 qubits and 1
    """


class ConfigError(QepError):
    """A configuration key is unknown, missing, or has a value that cannot be used.

    Example:
        >>> try:
        ...     qep.Contrast(beta=0.0)
        ... except qep.ConfigError as error:
        ...     print(error)
        ...
        beta: expected a number other than zero, got 0.0
    """


class DataError(QepError):
    """A data file or array cannot be used; the message names the file, the row and the column."""


class DeviceError(QepError):
    """A device, its service or the account cannot be used; the message says whether anything was submitted."""


class UnavailableError(DeviceError):
    """A device, its service or the account cannot be used now; the same call may succeed later."""


class JobFailedError(QepError):
    """A job on a device failed, was cancelled or reached its time limit; its results are missing.

    Args:
        message: What happened.
        retry: Whether the same job may succeed if it is sent again.
    """

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


class LedgerError(QepError):
    """The ledger of a run's jobs is damaged, in use, or disagrees with the run."""


class LedgerBusyError(LedgerError):
    """Another process uses a ledger."""


class NetworkError(QepError):
    """A network, cost or graph is not well defined (spin out of range, duplicate edge, ...).

    Example:
        >>> try:
        ...     qep.OperatorCost.squared_error([3], num_qubits=2)
        ... except qep.NetworkError as error:
        ...     print(error)
        ...
        cost: 'Z3' acts on spin 3, out of range; there are 2 spins, 0 to 1
    """


class NudgeError(ConfigError):
    """A nudge is too strong: springs become unstable, or a state leaves its grid."""


class PausedError(QepError):
    """This process stops waiting; a submitted job goes on, and another process can collect it."""


class ResourceError(QepError):
    """The job does not fit in memory; the message says what would fit."""


class ResultError(QepError):
    """An executor returned something else than the request needs; the message names the circuit and the backend.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> outcomes = qep.Distribution(weights=np.array([[75, 25]]), shots=100)
        >>> try:
        ...     outcomes.check(measured=2, group=group, num_qubits=1, name="backend: circuit 'Z'")
        ... except qep.ResultError as error:
        ...     print(error)
        ...
        backend: circuit 'Z': expected outcomes of shape (2, 2), got (1, 2)
    """


class RunFolderError(QepError):
    """A run folder is foreign, damaged, or already in use."""


class FolderBusyError(RunFolderError):
    """Another process uses a folder."""


class StillQueuedError(QepError):
    """A job still waits after the time that was given; it can be collected later. The exit code is 3, not 2."""


class UnconvergedError(QepError):
    """A preparation did not converge, and the configuration says to stop then."""


class WorkerLostError(QepError):
    """A process that worked on a part of a study is gone; what was finished is kept. The exit code is 1, not 2."""


class QepWarning(UserWarning):
    """Base of every warning of this package.

    The text of a warning is constant for its kind and cause, so that Python's filters show it once; numbers are in
    `detail`.

    Args:
        text: What was found and which key helps, without numbers that change from step to step.
        detail: The numbers of this time.
        severity: Another than that of the class.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always", qep.QepWarning)
        ...     warnings.warn(qep.QepWarning("the gradient is noise", detail="norm 0.1, noise 0.3"), stacklevel=2)
        ...
        >>> str(caught[0].message), caught[0].message.detail
        ('the gradient is noise', 'norm 0.1, noise 0.3')
    """

    severity: Severity = "warning"

    def __init__(self, text: str = "", detail: str = "", severity: Severity | None = None) -> None:
        super().__init__(text)
        self.detail = detail
        if severity is not None:
            self.severity = severity


class UntrustedGradientWarning(QepWarning):
    """Base of warnings that say why a gradient may not be what it seems."""


class BranchJumpWarning(UntrustedGradientWarning):
    """A nudged state does not belong to the free one: it lies on another branch of the spectrum.

    A contrast of ground states is the exact gradient of its contrastive function all the same; what a crossing costs is
    that this function leaves the cost.
    """


class CoarseGridWarning(QepWarning):
    """A position grid barely holds a state.

    Its positions come near the edge of the box, or its momenta near the largest.
    """


class CoarseTrotterWarning(QepWarning):
    """The Trotter step is too long for the coefficients: dt * max|coefficient| nears 1."""


class DeadGradientWarning(UntrustedGradientWarning):
    """A gradient has been exactly zero for many steps: nothing is learned."""

    severity = "serious"


class DegenerateGroundStateWarning(UntrustedGradientWarning):
    """The ground state is degenerate, or a symmetry fixes the outputs at zero."""


class FloppyModesWarning(UntrustedGradientWarning):
    """Nothing gives an elastic network its shape: it moves at no cost, or collapses onto one place."""

    severity = "serious"


class IdleClusterWarning(QepWarning):
    """A cluster has no workers yet; its tasks wait for some."""

    severity = "note"


class IgnoredMeasurementWarning(QepWarning):
    """Final measurements of an ansatz are ignored; the groups of the network are measured in their place."""

    severity = "note"


class LostSignalWarning(UntrustedGradientWarning):
    """Circuits use gates that do not work, or hardly any signal survives the noise of the device."""

    severity = "serious"


class MissingValuesWarning(QepWarning):
    """A data file has rows with missing values; they are left out or filled in, as the configuration says."""

    severity = "note"


class NoLedgerWarning(QepWarning):
    """Jobs of a backend cannot be retrieved by id, so no ledger holds them."""

    severity = "note"


class NoShotsWarning(QepWarning):
    """Shots are given where nothing is random."""

    severity = "note"


class NoisyGradientWarning(UntrustedGradientWarning):
    """Gradients have stayed below their own shot noise over several steps."""


class NotLoggedWarning(QepWarning):
    """A service has not taken numbers that were to be logged; the run has them."""

    severity = "note"


class NudgeBeyondGapWarning(UntrustedGradientWarning):
    """The nudge is stronger than the gap allows for sure: |beta| range(C) exceeds the gap (Weyl)."""

    severity = "note"


class ReversedDriverWarning(QepWarning):
    """An adiabatic ramp starts from fields along X of the other sign than those it ends in."""

    severity = "serious"


class TextInputsWarning(QepWarning):
    """Input columns of a data file hold texts: each category is an input of its own."""

    severity = "note"


class TruncatedStateWarning(UntrustedGradientWarning):
    """A matrix product state lost more of its norm by truncation than the contrast can bear."""


class UnconnectedOutputWarning(QepWarning):
    """An output spin has no path of couplings from any input."""


class UnconvergedWarning(UntrustedGradientWarning):
    """A preparation did not converge; its states are used as they are."""


class UnreachableTargetWarning(QepWarning):
    """Targets lie outside of what the outputs can reach."""


class UnresolvedContrastWarning(UntrustedGradientWarning):
    """The residual of iterative states is not far below the nudge: the contrast is unknown, not zero."""

    severity = "serious"


class UnscaledInputsWarning(QepWarning):
    """Inputs are so large that their terms dominate the Hamiltonian."""


class UnusedKeyWarning(QepWarning):
    """A key of the configuration is there and has no effect."""

    severity = "note"
