"""Keys of the cost section; each kind builds its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.named import is_named
from qep_qiskit.config.own_code import OwnCode
from qep_qiskit.config.section import Section, same_as
from qep_qiskit.core.amounts import amount, there_are
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.limits import Index
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.registry import Registry
from qep_qiskit.network import Network
from qep_qiskit.network.batch_losses import BatchLoss, Contrastive, Sensitivity
from qep_qiskit.network.cost import Cost, LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_of_copies import loss_of_copies, squared_error_of_copies
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.expressions import parse_operator
from qep_qiskit.network.losses import CrossEntropy, CustomLoss, Loss, NegativeAbs, SquaredError
from qep_qiskit.network.spin_network import SpinNetwork
from qep_qiskit.tasks import Task


class CostSection(Section):
    """The cost that training minimises; a custom cost derives from this class.

    Example:
        >>> from typing import Literal
        >>> class Magnetisation(qep.CostSection):
        ...     kind: Literal["magnetisation"]
        ...
        ...     def build(self, network, task):
        ...         return qep.OperatorCost.from_operator(SparsePauliOp("Z" + "I" * (network.num_qubits - 1)))
        ...
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> Magnetisation(kind="magnetisation").build(network, qep.no_data_task()).operator()
        SparsePauliOp(['ZI'],
                      coeffs=[1.+0.j])
    """

    kind: str

    @property
    def one_hot(self) -> bool:
        """Whether every class has a target of its own, one or zero."""
        return False

    @property
    def reads_spins(self) -> bool:
        """Whether the cost uses the outputs of the network, which then has to name them."""
        return True

    @property
    def strings_key(self) -> str | None:
        """Key of the Pauli strings of the cost; None where there are none, as required for atoms."""
        return None

    def beside(self, folder: Path) -> Self:
        """Return the section with the content of its source files, which are searched in a folder."""
        return self

    def build(self, network: Network, task: Task) -> Cost:
        """Return the cost.

        Args:
            network: The network.
            task: The samples.

        Raises:
            ConfigError: Outputs and targets do not match.
        """
        raise NotImplementedError


Copies = Literal["mean", "each"]


def _of_each_copy(network: Network) -> SpinNetwork:
    """Return a network whose outputs have copies.

    Raises:
        ConfigError: They have none.
    """
    if isinstance(network, SpinNetwork) and network.copies > 1:
        return network
    raise ConfigError(
        "cost.copies: 'each' needs outputs of several spins; set network.copies (Ising and Pauli networks), or leave "
        "cost.copies out"
    )


LOSSES: Registry[type[Loss | BatchLoss]] = Registry(
    "qep_qiskit.network.losses", callable, "a function or class that makes a loss"
)
"""Factories of losses by name."""
for _name, _make in {
    "squared_error": SquaredError,
    "cross_entropy": CrossEntropy,
    "negative_abs": NegativeAbs,
    "contrastive": Contrastive,
    "sensitivity": Sensitivity,
}.items():
    LOSSES.add(_name, _make)


_LOSS_OF = {"gain": "cross_entropy", "label_smoothing": "cross_entropy", "margin": "contrastive"}


class CostTermConfig(Section):
    """One term of an operator cost."""

    pauli: str
    """Pauli string such as ``Z0 Z3``, ``I`` for a constant, or a sum such as ``0.5 Z0 - 0.5 Z1 Z2``."""
    coefficient: float = 1.0
    """Real factor."""
    target: Index | None = None
    """Index of the target value that multiplies the term."""


class LossCost(CostSection, OwnCode):
    """A loss as a function of the expectations of the outputs."""

    kind: Literal["loss"] = "loss"
    loss: str = "squared_error"
    """``squared_error``, ``cross_entropy``, ``negative_abs`` (minus the sum of |<O>|, without targets), or
    ``module:name`` of a user-defined loss; the module is searched in the folder of the configuration, in the working
    directory, and among installed packages. Of all samples of a batch: ``contrastive`` (outputs of one class close, of
    different classes apart) and ``sensitivity`` (minus the change of outputs by inputs)."""
    gain: float = same_as(CrossEntropy, "gain")
    """Factor on the expectations in the softmax of the cross-entropy."""
    label_smoothing: float = same_as(CrossEntropy, "label_smoothing")
    """For the cross-entropy: part of each sample's probability that is shared evenly among all classes. Outputs then
    stop growing where a sample is classified well enough, which helps on new samples where the training set is fitted
    completely. The reported loss is that of the smoothed targets."""
    margin: float = same_as(Contrastive, "margin")
    """Distance of the outputs of different classes beyond which the contrastive loss is zero."""
    observables: list[str] | None = Field(default=None, min_length=1)
    """Outputs instead of Z of the output spins: Pauli strings, or sums such as ``0.2 - 0.08 Z0 Z1``."""
    copies: Copies = "mean"
    """Where an output has copies (`network.copies`): ``mean``, the loss of the mean of the copies; ``each``, the sum of
    the losses of all copies, each of which is nudged to the target. Predictions are means over copies with both."""

    @classmethod
    def idle_with(cls, key: str, value: str) -> tuple[str, ...]:
        """Return the keys that have no effect with a new loss."""
        return tuple(name for name, loss in _LOSS_OF.items() if key == "loss" and value != loss)

    def beside(self, folder: Path) -> Self:
        """Return the section with the sources of a user-defined loss.

        Raises:
            ConfigError: A file cannot be read.
        """
        return self if self.loss in LOSSES else self.keeping("cost.loss", self.loss, folder)

    @property
    def one_hot(self) -> bool:
        """Whether targets are class probabilities."""
        return self.loss == "cross_entropy"

    @property
    def strings_key(self) -> str | None:
        """Key of the Pauli strings of the observables."""
        return "observables" if self.observables else None

    @property
    def reads_spins(self) -> bool:
        """Whether outputs are those of the network."""
        return self.observables is None

    def build(self, network: Network, task: Task) -> LossOnExpectations:
        """Return the loss, on outputs of the network or on observables of its own."""
        cost, targets = self._on_outputs(network), task.train.num_targets
        if cost.couples_samples and not cost.decodes_classes:
            return cost  # it may take any number of targets
        own_loss = self.loss not in ("squared_error", "cross_entropy")  # some need no targets
        outputs = cost.num_outputs // cost.copies
        if targets != outputs and not (own_loss and targets == 0):
            where = "network.outputs" if self.reads_spins else "cost.observables"
            hint = (
                f"set {where} to as many" if targets else "an aim without data needs an operator cost, or task.targets"
            )
            raise ConfigError(
                f"{where}: the cost has {amount(outputs, 'output')}, the task {amount(targets, 'target')}; "
                f"{hint} (cost.kind is 'loss')"
            )
        return cost

    def _on_outputs(self, network: Network) -> LossOnExpectations:
        loss = self._loss()
        if self.copies == "each":
            if self.observables is not None or isinstance(loss, BatchLoss):
                other = "observables" if self.observables is not None else f"loss = '{self.loss}', which is of a batch"
                raise ConfigError(f"cost.copies: 'each' does not go with {other}; leave one of them out")
            return loss_of_copies(_of_each_copy(network), loss, self.loss)
        if self.observables is None:
            return LossOnExpectations.on_outputs(network, loss, self.loss)
        observables = tuple(_observable(text, network.num_qubits) for text in self.observables)
        return LossOnExpectations(observables, loss, self.loss)

    def _loss(self) -> Loss | BatchLoss:
        self.refuse_idle({key: (self.loss == loss, f"loss = '{loss}'") for key, loss in _LOSS_OF.items()})
        if self.loss in LOSSES:
            make = LOSSES.find(self.loss)
            if make is CrossEntropy:
                return self.made(CrossEntropy)
            return self.made(Contrastive) if make is Contrastive else make()
        if not is_named(self.loss):
            raise ConfigError(
                f"cost.loss: expected {', '.join(LOSSES.kinds)} or module:name of your own, got '{self.loss}'"
            )
        found = self.own_object("cost.loss", self.loss)
        if all(hasattr(found, method) for method in ("value", "gradient", "curvature")):
            return found
        if callable(found) and not isinstance(found, type):
            return CustomLoss(found)
        raise ConfigError(
            f"cost.loss: expected '{self.loss}' to be a function of outputs and targets, or an object with value, "
            f"gradient and curvature, got {type(found).__name__}"
        )


class OperatorCostConfig(CostSection):
    """The expectation of an observable C(y)."""

    kind: Literal["operator"]
    operator: Literal["squared_error"] | None = None
    """``squared_error``: sum over outputs of (Z - y)^2, or of (r - y)^2 where outputs are displacements r of atoms."""
    terms: list[CostTermConfig] = Field(default=[])
    """Terms of any other observable."""
    copies: Copies = "mean"
    """For ``squared_error`` where an output has copies (`network.copies`): ``mean``, (mean of Z - y)^2, which couples
    the copies; ``each``, the sum of (Z - y)^2 over the copies, which nudges each of them to the target."""

    @property
    def strings_key(self) -> str | None:
        """Key of the Pauli strings of the observable."""
        return "terms" if self.terms else None

    def build(self, network: Network, task: Task) -> OperatorCost:
        """Return the observable."""
        if (self.operator is None) == (not self.terms):
            raise ConfigError("cost: an operator cost needs either operator = 'squared_error' or a list of terms")
        if self.copies == "each" and self.operator is None:
            raise ConfigError("cost.copies: goes with operator = 'squared_error', terms have no copies; leave it out")
        targets = task.train.num_targets
        if self.operator is not None:
            outputs = len(network.output_observables)
            if targets != outputs:
                raise ConfigError(
                    f"cost.operator: squared_error needs one target per output, got {amount(targets, 'target')} for "
                    f"{outputs} outputs"
                )
            if self.copies == "each":
                return squared_error_of_copies(_of_each_copy(network))
            return OperatorCost.squared_error_of(network)
        beyond = [term.target for term in self.terms if term.target is not None and term.target >= targets]
        if beyond:
            raise ConfigError(f"cost.terms: target {beyond[0]} is out of range; the task has {targets} target numbers")
        terms = [
            CostTerm(string=string, coefficient=term.coefficient * value, target=term.target)
            for term in self.terms
            for string, value in _strings("cost.terms", term.pauli).items()
        ]
        return OperatorCost.from_terms(terms, network.num_qubits)


def _strings(key: str, text: str) -> dict[PauliString, float]:
    try:
        return parse_operator(text)
    except NetworkError as error:
        raise NetworkError(f"{key}: {error}") from None


def _observable(text: str, num_qubits: int) -> SparsePauliOp:
    strings = _strings("cost.observables", text)
    if not any(string.factors for string in strings):
        raise NetworkError(f"cost.observables: '{text}' is the identity, which no weight can change; leave it out")
    if max(string.max_qubit for string in strings) >= num_qubits:
        raise NetworkError(f"cost.observables: '{text}' names a spin out of range; {there_are(num_qubits, 'spin')}")
    return sparse_pauli_op(strings.items(), num_qubits)


COSTS = section_registry("costs", CostSection, LossCost, OperatorCostConfig)
"""Kinds of costs."""

CostConfig = Annotated[CostSection, OneOf(COSTS, default="loss")]
