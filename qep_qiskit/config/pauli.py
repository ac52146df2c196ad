"""Networks of any Pauli strings: their keys, and the terms and their copies along the spins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from qep_qiskit.config.convolution import CONVOLUTION, FILTER_KEYS, ConvolutionKeys
from qep_qiskit.config.network_section import MOST_SPINS, last_spins
from qep_qiskit.config.section import Section
from qep_qiskit.config.weight_section import WeightBlockConfig, initialisation_of
from qep_qiskit.core.amounts import amount, there_are
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.limits import Index
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import PAULI_INITIALISATION, Interaction, PauliNetwork, WeightInitialisation
from qep_qiskit.network.expressions import parse_operator
from qep_qiskit.tasks import Task

Sum = dict[PauliString, float]


class PauliWeightsConfig(WeightBlockConfig):
    """All weights of a Pauli network."""

    defaults: ClassVar[WeightInitialisation] = PAULI_INITIALISATION


class PauliTermConfig(Section):
    """One term of H: weight * coefficient * input * operator; factors that are not given are 1."""

    pauli: str
    """The operator: a Pauli string such as ``Z0 X1``, or a sum of Pauli strings such as ``0.5 X0 - 0.5 Y0 Y1``. A ``?``
    in the place of a letter stands for X, Y and Z in turn, each Pauli string with a weight of its own: ``?0 ?1`` stands
    for nine Pauli strings."""
    weight: str | None = Field(default=None, min_length=1)
    """Name of the weight; none for a fixed term. Terms with the same weight are tied: it multiplies their sum."""
    coefficient: float = 1.0
    """Real factor."""
    input: Index | None = None
    """Index of the input that multiplies the term."""
    repeat: Literal["chain", "ring"] | None = None
    """Add copies of the operator, shifted by 1, 2, ... spins: ``chain`` as far as they fit, ``ring`` with periodic
    boundary. A copy that exists already is left out."""
    along: list[int] | None = Field(default=None, min_length=2)
    """Spins along which copies are shifted, in order; all by default."""
    tied: bool = True
    """False gives every copy of ``repeat`` a weight of its own, named by its spins as ``J[0,1]``; Pauli strings with
    ``?`` are named by their letters too, as ``K[X0 Z1]``."""


class PauliConfig(ConvolutionKeys):
    """Any Hamiltonian of Pauli strings, H = sum of the terms, with the signs as written."""

    connection: ClassVar[str] = "add terms that join it to the spins with inputs"
    symmetry_breaker: ClassVar[str] = "terms such as Z0, with weights that start from"

    kind: Literal["pauli"]
    graph: Literal["convolution"] | None = None
    """``convolution`` adds filters with tied weights K, pooling and trained couplings J to outputs, with the signs and
    the spins of the Ising network; fields and all else are `terms`."""
    num_spins: int | None = Field(default=None, ge=1, le=MOST_SPINS, validate_default=True)
    """Number of spins, one qubit each; required unless a convolution has its own."""
    outputs: list[int] | None = None
    """Output spins; by default as many of the last spins as there are targets, times `copies`; none with
    `cost.observables`."""
    terms: list[PauliTermConfig] = Field(min_length=1)
    """Terms of H."""
    grouping: Literal["qubit_wise", "commuting"] = "qubit_wise"
    """Pauli strings that share a group, a layer and shots: those that one rotation of every qubit makes diagonal; or
    all that commute, if that gives fewer groups. The latter need two-qubit gates before a measurement and around every
    layer."""
    weights: PauliWeightsConfig = PauliWeightsConfig()
    """All weights, numbered in the order of their first appearance; by default drawn from a normal distribution."""

    @field_validator("num_spins")
    @classmethod
    def _is_given(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is None and info.data.get("graph") is None:
            raise PydanticKnownError("missing")
        return value

    @property
    def qubits_ahead(self) -> int | None:
        """Number of spins, as given."""
        return self.num_spins

    @property
    def may_fall_apart(self) -> bool:
        """Whether terms may leave parts unconnected; they do as they like."""
        return True

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> PauliNetwork:
        """Return the network from its terms and their copies.

        Raises:
            ConfigError: Keys contradict each other, or no term uses the inputs of the task.
            NetworkError: A term does not parse, or names a spin or an input that does not exist.
        """
        if self.graph == CONVOLUTION:
            return self._convolution(task)
        self.refuse_given(("image", *FILTER_KEYS), f"goes with graph = '{CONVOLUTION}'")
        assert self.num_spins is not None  # checked when the section is read
        count, targets = task.train.num_inputs, task.train.num_targets if reads_spins else 0
        if count and all(term.input is None for term in self.terms):
            raise ConfigError(
                f"terms: the task has {amount(count, 'input')} and no term takes one, so that nothing of the data "
                "reaches the network; give a term input = 0"
            )
        outputs = last_spins(targets, self.num_spins, self.copies) if self.outputs is None else tuple(self.outputs)
        return self._network((), self.num_spins, outputs, count)

    def _convolution(self, task: Task) -> PauliNetwork:
        """Return the network of filters over the pixels of an image, and of the terms."""
        given = {key: getattr(self, key) is not None for key in ("num_spins", "outputs")}
        plan = self.convolution(task, given)
        size = plan.graph.num_spins
        return self._network(plan.interactions(), size, plan.graph.layers[-1], task.train.num_inputs)

    def _network(
        self, parts: tuple[Interaction, ...], num_spins: int, outputs: tuple[int, ...], num_inputs: int
    ) -> PauliNetwork:
        return PauliNetwork(
            interactions=(*parts, *(part for term in self.terms for part in _interactions(term, num_spins))),
            outputs=outputs,
            copies=self.copies,
            num_inputs=num_inputs,
            start=initialisation_of(self, "weights"),
            entangling=self.grouping == "commuting",
        )


def _interactions(term: PauliTermConfig, num_spins: int) -> Iterator[Interaction]:
    """Return one interaction, or one for every copy where they are not tied.

    Every Pauli string that ``?`` stands for has its own.
    """
    if "?" in term.pauli:
        yield from _lettered(term, num_spins)
        return
    if term.along is not None and term.repeat is None:
        raise ConfigError("terms.along: goes with repeat; leave it out")
    operator = _operator(term, num_spins)
    copies = [operator] if term.repeat is None else _copies(operator, _along(term, num_spins), term.repeat)
    if term.tied:
        total: Sum = {}
        for copy in copies:
            for string, value in copy.items():
                total[string] = total.get(string, 0.0) + value
        yield Interaction(operator=sparse_pauli_op(total.items(), num_spins), weight=term.weight, input=term.input)
        return
    if term.repeat is None or term.weight is None:
        raise ConfigError("terms.tied: false goes with a weight and repeat; leave it out")
    for copy in copies:
        spins = sorted({qubit for string in copy for qubit, _ in string.factors})
        name = f"{term.weight}[{','.join(map(str, spins))}]"
        yield Interaction(operator=sparse_pauli_op(copy.items(), num_spins), weight=name, input=term.input)


def _lettered(term: PauliTermConfig, num_spins: int) -> Iterator[Interaction]:
    """Return the term with X, Y and Z in the place of every ``?``, each with a weight of its own."""
    if term.weight is None or term.repeat is not None:
        raise ConfigError(
            f"terms.pauli: '{term.pauli}' stands for several words, each with a weight of its own; "
            "give the term a weight and leave repeat out"
        )
    pieces = term.pauli.split("?")
    for letters in product("XYZ", repeat=len(pieces) - 1):
        text = pieces[0] + "".join(letter + piece for letter, piece in zip(letters, pieces[1:], strict=True))
        operator = _operator(term.model_copy(update={"pauli": text}), num_spins)
        name = f"{term.weight}[{' '.join(text.split())}]"
        yield Interaction(operator=sparse_pauli_op(operator.items(), num_spins), weight=name, input=term.input)


def _along(term: PauliTermConfig, num_spins: int) -> list[int]:
    """Return the spins along which copies of a term are shifted."""
    spins = list(range(num_spins)) if term.along is None else term.along
    outside = [spin for spin in spins if not 0 <= spin < num_spins]
    if outside or len(set(spins)) < len(spins):
        wrong = f"spin {outside[0]} is out of range" if outside else "a spin comes twice"
        raise NetworkError(f"terms.along: {wrong}; {there_are(num_spins, 'spin')}")
    return spins


def _operator(term: PauliTermConfig, num_spins: int) -> Sum:
    """Return the Pauli strings of a term, multiplied by its coefficient."""
    try:
        terms = parse_operator(term.pauli)
    except NetworkError as error:
        raise NetworkError(f"terms.pauli: {error}") from None
    highest = max((string.max_qubit for string in terms), default=-1)
    if highest >= num_spins:
        raise NetworkError(
            f"terms.pauli: '{term.pauli}' acts on spin {highest}, out of range; {there_are(num_spins, 'spin')}"
        )
    return {string: term.coefficient * value for string, value in terms.items()}


def _copies(operator: Sum, along: Sequence[int], repeat: str) -> list[Sum]:
    """Return the operator shifted by 0, 1, 2, ... positions along some spins, each distinct copy once."""
    index_of = {spin: index for index, spin in enumerate(along)}
    indices = [index_of.get(qubit) for string in operator for qubit, _ in string.factors]
    if None in indices:
        raise NetworkError(f"terms.along: the term acts on other spins than {list(along)}")
    highest = max((index for index in indices if index is not None), default=0)
    found: dict[frozenset[tuple[PauliString, float]], Sum] = {}
    for shift in range(len(along) if repeat == "ring" else len(along) - highest):
        moved = {spin: along[(index + shift) % len(along)] for spin, index in index_of.items()}
        copy = {_moved(string, moved): value for string, value in operator.items()}
        found.setdefault(frozenset(copy.items()), copy)
    return list(found.values())


def _moved(string: PauliString, moved: Mapping[int, int]) -> PauliString:
    return PauliString(tuple(sorted((moved[qubit], letter) for qubit, letter in string.factors)))
