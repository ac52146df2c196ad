"""Keys of annealers, and the sampler of ``execution.backend = "ocean:..."``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.config.named import called, imported, is_named
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import same_as
from qep_qiskit.core.errors import ConfigError, NoLedgerWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.preparation import AnnealerPreparation, CouplerLimits, Preparation
from qep_qiskit.preparation.annealer import require_listing
from qep_qiskit.preparation.ising_problems import IsingTerms
from qep_qiskit.preparation.ocean import ALL_STATES, IsingSampler, dwave_sampler, is_offline

_OF_SWEEPS = ("sweeps", "reheat", "hot_temperature", "cold_temperature")


class AnnealerConfig(PreparationSection):
    """Low-energy states of classical spins by the sampler of ``execution.backend = "ocean:..."``."""

    has_known_states: ClassVar[bool] = True
    anneals: ClassVar[bool] = True

    kind: Literal["annealer"]
    reads: int = same_as(AnnealerPreparation, "reads")
    """Anneals of every sample and phase."""
    answer: Literal["lowest", "mean"] = same_as(AnnealerPreparation, "answer")
    """``lowest``: the read of lowest energy, a state that is certain. ``mean``: all reads, each of which is one shot;
    then `measurement.shots` is the same number."""
    reverse: bool = same_as(AnnealerPreparation, "reverse")
    """Begin nudged anneals in the free state, at a part of the first temperature, or of the transverse field."""
    sweeps: int = same_as(AnnealerPreparation, "sweeps")
    """Updates of every spin in one anneal."""
    reheat: float = same_as(AnnealerPreparation, "reheat")
    """Temperature at which reverse anneals begin: 1 is the first temperature, 0 the last, with a geometric scale in
    between."""
    hot_temperature: float | None = same_as(AnnealerPreparation, "hot_temperature")
    """First temperature, in energy; by default 50 times the last, or half the largest energy of a single spin flip,
    averaged over the spins of the problem."""
    cold_temperature: float | None = same_as(AnnealerPreparation, "cold_temperature")
    """Last temperature; by default 1/50 of the first."""
    h_range: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Lowest and highest field that the annealer can set: of bias, inputs and nudge together. By default there are no
    bounds; D-Wave's annealers then scale what is beyond theirs by themselves."""
    j_range: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Lowest and highest coupling that the annealer can set, in the same way."""
    auto_scale: bool = same_as(CouplerLimits, "auto_scale")
    """Divide a problem that is beyond the bounds by the factor with which it fits; otherwise it is refused."""
    bits: int | None = same_as(CouplerLimits, "bits")
    """Bits of a field and of a coupling, its sign included; numbers are rounded to the nearest that the annealer has.
    By default that of a double."""
    options: dict[str, Any] = Field(default={})
    """More keyword arguments of every sample, such as ``annealing_time`` of a device."""
    nudged_options: dict[str, Any] = Field(default={})
    """Keyword arguments of nudged samples alone, such as ``anneal_schedule`` of a reverse anneal on a device."""

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check that all states fit in memory where the sampler lists them."""
        if execution.where.anneals and execution.where.device == ALL_STATES:
            require_listing(num_qubits)

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation, after a look at what the sampler and the network have."""
        if not scene.execution.where.anneals:
            raise ConfigError(
                "preparation.kind: 'annealer' needs an annealer; set execution.backend = 'ocean:simulated_annealing' "
                f"or another 'ocean:...', got '{scene.execution.backend}'"
            )
        IsingTerms.of(tuple(scene.hamiltonian.groups))
        shots = scene.measurement.batch_shots
        if self.answer == "mean" and shots != self.reads:
            raise ConfigError(
                "preparation.answer: 'mean' takes every read as one shot; set measurement.shots = "
                f"{self.reads}, the number of reads (got {'exact' if shots is None else shots})"
            )
        if self.answer == "mean" and scene.measurement.test_shots is not None:
            raise ConfigError(
                "measurement.test_shots: the reads of an annealer are the shots of tests too; leave it out, or use "
                "preparation.answer = 'lowest'"
            )
        if self.answer == "mean" and scene.execution.where.device == ALL_STATES:
            raise ConfigError(
                "preparation.answer: 'mean' needs a sampler that draws reads, and 'ocean:exact' lists every state "
                "once; use 'lowest', or execution.backend = 'ocean:simulated_annealing'"
            )
        limits, sampler = self.made(CouplerLimits), self._sampler(scene.execution)
        found = self.made(AnnealerPreparation, seeds=scene.seeds, sampler=sampler, limits=limits)
        found.check()
        why = f"the sampler of execution.backend = '{scene.execution.backend}' makes no use of it"
        self.refuse_given(found.idle_arguments(), why)
        self.refuse_idle({"reheat": (self.reverse, "reverse = true")})
        return found

    def _sampler(self, execution: ExecutionConfig) -> str | IsingSampler:
        """Return the name of a sampler of this machine, or another sampler itself."""
        name = execution.where.device
        if is_offline(name):
            return name
        if is_named(name) and not name.startswith("dwave:"):
            made = called(imported("execution.backend", name), name, "sampler", **execution.backend_options)
            if not callable(getattr(made, "sample", None)) or not hasattr(made, "parameters"):
                raise ConfigError(
                    f"execution.backend: expected '{name}' to make a sampler of dimod, got {type(made).__name__}"
                )
            return made
        self.refuse_given(_OF_SWEEPS, "goes with samplers of this machine")
        found = dwave_sampler(name, most_seconds=execution.max_qpu_seconds, **execution.backend_options)
        warn(
            NoLedgerWarning,
            "execution.backend: jobs of D-Wave's annealers are not kept in a ledger: a run that is stopped and resumed "
            "repeats its last step, and counts QPU seconds from zero",
            detail=execution.backend,
        )
        return found
