"""The aim of a configuration: an operator cost or a loss on expectations."""

from __future__ import annotations

from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.config.build_executor import is_of_atoms
from qep_qiskit.config.named import imported, is_named
from qep_qiskit.config.schema import Config, CostConfig, LossCost, OperatorCostConfig
from qep_qiskit.cost import Cost, CostTerm, LossOnExpectations, OperatorCost
from qep_qiskit.errors import ConfigError, NetworkError
from qep_qiskit.expressions import parse_operator
from qep_qiskit.losses import CrossEntropy, Loss, NegativeAbs, SquaredError
from qep_qiskit.network import Network
from qep_qiskit.operators import PauliWord, sparse_pauli_op
from qep_qiskit.tasks import Task

__all__ = ["build_cost"]


def build_cost(config: Config, network: Network, task: Task) -> Cost:
    """Operator cost or loss on expectations.

    Raises:
        ConfigError: Outputs and targets do not fit together, or a named loss cannot be had.
    """
    section = config.cost
    if is_of_atoms(config):
        _refuse_pauli_words(section)
    if isinstance(section, OperatorCostConfig):
        return _operator_cost(section, network, task)
    cost = _loss_on_expectations(section, network)
    targets = task.train.num_targets
    own_loss = section.loss not in ("squared_error", "cross_entropy")  # some need no targets
    if targets != cost.num_outputs and not (own_loss and targets == 0):
        where = "cost.observables" if section.observables is not None else "network.outputs"
        hint = (
            "an aim without data needs an operator cost, or task.targets" if targets == 0 else f"set {where} to as many"
        )
        raise ConfigError(
            f"{where}: the cost has {cost.num_outputs} outputs, the task {targets} targets; {hint} "
            f"(cost.kind is 'loss')"
        )
    return cost


def _refuse_pauli_words(section: CostConfig) -> None:
    """Atoms have positions, and no Pauli matrices."""
    key = "terms" if isinstance(section, OperatorCostConfig) else "observables"
    if getattr(section, key):
        raise ConfigError(
            f"cost.{key}: Pauli words go with spins; for atoms use operator = 'squared_error', or a loss on the outputs"
        )


def _loss_on_expectations(section: LossCost, network: Network) -> LossOnExpectations:
    if section.observables is not None:
        observables = tuple(_observable(text, network.num_qubits) for text in section.observables)
        return LossOnExpectations(observables, _loss(section), section.loss)
    return LossOnExpectations.on_outputs(network, _loss(section), section.loss)


def _words(key: str, text: str) -> dict[PauliWord, float]:
    try:
        return parse_operator(text)
    except NetworkError as error:
        raise NetworkError(f"{key}: {error}") from None


def _observable(text: str, num_qubits: int) -> SparsePauliOp:
    words = _words("cost.observables", text)
    if not any(word.factors for word in words):
        raise NetworkError(f"cost.observables: '{text}' is the identity, which no weight can change; leave it out")
    if max(word.max_qubit for word in words) >= num_qubits:
        raise NetworkError(
            f"cost.observables: '{text}' names a spin out of range; there are {num_qubits} spins, 0 to {num_qubits - 1}"
        )
    return sparse_pauli_op(words.items(), num_qubits)


def _operator_cost(section: OperatorCostConfig, network: Network, task: Task) -> OperatorCost:
    if (section.operator is None) == (not section.terms):
        raise ConfigError("cost: an operator cost needs either operator = 'squared_error' or a list of terms")
    targets = task.train.num_targets
    if section.operator is not None:
        outputs = len(network.output_forms)
        if targets != outputs:
            raise ConfigError(
                f"cost.operator: squared_error needs one target per output, got {targets} targets for {outputs} outputs"
            )
        return OperatorCost.squared_error_of(network)
    beyond = [term.target for term in section.terms if term.target is not None and term.target >= targets]
    if beyond:
        raise ConfigError(f"cost.terms: target {beyond[0]} is out of range; the task has {targets} target numbers")
    terms = [
        CostTerm(word=word, coefficient=term.coefficient * value, target=term.target)
        for term in section.terms
        for word, value in _words("cost.terms", term.pauli).items()
    ]
    return OperatorCost.from_terms(terms, network.num_qubits)


def _loss(section: LossCost) -> Loss:
    if section.loss == "squared_error":
        return SquaredError()
    if section.loss == "cross_entropy":
        return CrossEntropy(section.gain)
    if section.loss == "negative_abs":
        return NegativeAbs()
    if not is_named(section.loss):
        raise ConfigError(
            "cost.loss: expected squared_error, cross_entropy, negative_abs or module:name of your own, got "
            f"'{section.loss}'"
        )
    found = imported("cost.loss", section.loss)
    if not all(hasattr(found, method) for method in ("value", "gradient", "curvature")):
        raise ConfigError(
            f"cost.loss: '{section.loss}' has no value, gradient and curvature; wrap a plain function in CustomLoss"
        )
    return found
