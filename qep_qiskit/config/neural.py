"""Keys of neural states."""

from __future__ import annotations

from typing import ClassVar, Literal

from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import same_as
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.preparation import NeuralPreparation, Preparation


class NeuralConfig(PreparationSection):
    """Ground states as restricted Boltzmann machines, by variational Monte Carlo; gradients by linear response."""

    has_known_states: ClassVar[bool] = True

    kind: Literal["neural"]
    alpha: int = same_as(NeuralPreparation, "alpha")
    """Hidden units for each spin."""
    samples: int = same_as(NeuralPreparation, "samples")
    """Samples of an expectation, and of the responses of a state; a step of the optimisation takes an eighth. A
    multiple of eight times the chains."""
    chains: int = same_as(NeuralPreparation, "chains")
    """Number of independent Markov chains; standard errors follow from their scatter."""
    steps: int = same_as(NeuralPreparation, "steps")
    """Largest number of steps of the optimisation of a state; it ends at `tolerance`."""
    learning_rate: float = same_as(NeuralPreparation, "learning_rate")
    """Learning rate, in units of 1 / (largest coefficient of H)."""
    shift: float = same_as(NeuralPreparation, "shift")
    """Shift of the diagonal of the metric in the optimisation (stochastic reconfiguration)."""
    tolerance: float = same_as(NeuralPreparation, "tolerance")
    """A state has converged where N Var(H) / <H>^2 of N spins is below; it is the residual in the metrics."""
    cut: float = same_as(NeuralPreparation, "cut")
    """Smallest eigenvalue of the metric that the response uses, as a part of the largest."""
    on_unconverged: Literal["warn", "stop", "go_on"] = same_as(NeuralPreparation, "on_unconverged")
    """Action if a state is not converged."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation, after a check of the signs of H at the initial weights."""
        if scene.measurement.shots != "exact" or scene.measurement.test_shots is not None:
            raise ConfigError(
                "kind: 'neural' states are sampled by their Markov chains (preparation.samples) and give no shots; use "
                "measurement.shots = 'exact' and no measurement.test_shots"
            )
        preparation = self.made(NeuralPreparation, seeds=scene.seeds)
        weights = scene.hamiltonian.network.layout.initial(scene.seeds)
        preparation.check(scene.hamiltonian.groups, scene.hamiltonian.free_coefficients(weights, scene.inputs))
        return preparation
