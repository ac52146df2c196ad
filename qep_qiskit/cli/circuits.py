"""``qep circuits``: the circuits of a gradient, as OpenQASM 3 and as drawings."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qasm3
from rich.console import Console

from qep_qiskit.cli.source import checked_sample, open_source
from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import lower
from qep_qiskit.execution import RequestKey, measured_circuit
from qep_qiskit.learning import evaluate
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.locality import locality
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import HamiltonianFamily, WarmStart, prepared
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.locality_table import locality_table
from qep_qiskit.tasks import Dataset

_DRAWING_WIDTH = 150


@dataclass(frozen=True, slots=True)
class NamedCircuit:
    """One circuit of a gradient.

    Args:
        name: Phase and group, such as ``nudged_plus_Z``.
        beta: Nudge beta of the phase.
        group: Name of the measured commuting group.
        circuit: The circuit with bound parameters; it measures all qubits.
        read_for: What a training step estimates from it; empty if no step runs it.
    """

    name: str
    beta: float
    group: str
    circuit: QuantumCircuit
    read_for: str

    @property
    def qasm(self) -> str:
        """The circuit in OpenQASM 3."""
        return qasm3.dumps(self.circuit)

    @property
    def drawing(self) -> str:
        """The circuit as a text drawing, without the spaces at the ends of lines."""
        drawing = str(self.circuit.draw("text", fold=_DRAWING_WIDTH, idle_wires=True))
        return "\n".join(line.rstrip() for line in drawing.split("\n"))


def run(options: argparse.Namespace) -> int:
    """Write the circuits to a folder, or print them."""
    experiment, weights = open_source(options.config, options.overrides)
    named = list(gradient_circuits(experiment, weights, options.sample))
    console = Console()
    if options.out is None:
        for circuit in named:
            console.print(f"{circuit.name}\n{circuit.drawing}\n{circuit.qasm}", highlight=False, soft_wrap=True)
    else:
        _write(Path(options.out), named)
    console.print(_table(named, experiment.config.name))
    estimator = experiment.estimator
    console.print(locality_table(locality(estimator.hamiltonian, estimator.measurement_plan)))
    if options.out is not None:
        print(f"wrote {amount(len(named), 'circuit')} to {options.out}, each as .qasm (OpenQASM 3) and .txt (drawing)")
    return 0


def gradient_circuits(experiment: Experiment, weights: NDArray, sample: int) -> Iterator[NamedCircuit]:
    """Return all circuits of the gradient at one training sample, with bound parameters.

    The angles of a variational preparation are optimised for it.

    Args:
        experiment: A run whose preparation is a circuit.
        weights: Shape (weights,).
        sample: Index of the training sample. Its error signals are those of the exact free state, or with the backend
            ``mps`` of the free state that the circuits prepare.

    Raises:
        ConfigError: The preparation has no circuits, or the sample is out of range.
    """
    if experiment.config.network.is_in_space:
        raise ConfigError(
            f"network.kind: '{experiment.config.network.kind}' is solved without circuits, there are none to show; "
            "'qep gradient' shows its contrast"
        )
    if experiment.config.preparation.has_known_states:
        kind = experiment.config.preparation.kind
        raise ConfigError(f"preparation.kind: '{kind}' has no circuits; use 'adiabatic' or 'variational'")
    hamiltonian = experiment.estimator.hamiltonian
    data = experiment.task.train.take(checked_sample(experiment, sample))
    betas = sorted({0.0, *experiment.estimator.contrast.betas.tolist()}, key=lambda beta: (abs(beta), -beta))
    family = HamiltonianFamily(
        groups=hamiltonian.groups,
        free=hamiltonian.free_coefficients(weights, data.inputs),
        nudge=_nudge(experiment, weights, data),
        betas=np.array(betas),
        key=RequestKey("circuits", sample),
    )
    work = prepared(experiment.estimator.preparation, family, WarmStart())
    states = run_measurements(work, experiment.executor)[0].states.as_circuits()
    template = lower(states.program)
    for beta, values in zip(betas, states.parameters, strict=True):
        for group in hamiltonian.groups:
            circuit = measured_circuit(template, group)
            bound = circuit.assign_parameters([values[p.index] for p in circuit.parameters])
            name = f"{_phase_name(beta, betas)}_{group.name}"
            bound.name = name
            yield NamedCircuit(name, beta, group.name, bound, _read_for(experiment, beta, group))


def _nudge(experiment: Experiment, weights: NDArray, data: Dataset) -> NDArray[np.float64]:
    """Return the coefficients of the cost operator of some samples."""
    hamiltonian = experiment.estimator.hamiltonian
    if experiment.config.execution.where.kind == "mps":
        ideal = replace(experiment.estimator, shots=None, test_shots=None)
        found = evaluate(ideal, experiment.executor, weights, data, purpose="circuits", index=0)
        return hamiltonian.nudge(hamiltonian.targets_of(data.inputs, data.targets), found.outputs)
    level = experiment.config.preparation.target_level
    return exact_gradient(hamiltonian, weights, data.inputs, data.targets, level=level).nudge


def _read_for(experiment: Experiment, beta: float, group: CommutingGroup) -> str:
    """Return what a training step estimates from a circuit: outputs, the contrast, both or nothing."""
    estimator = experiment.estimator
    hamiltonian = estimator.hamiltonian
    index = hamiltonian.groups.index(group)
    uses = []
    if beta == 0.0 and hamiltonian.cost.has_signals and index in hamiltonian.groups_of(hamiltonian.measured_terms):
        uses.append("outputs")
    if beta in estimator.contrast.betas and index in hamiltonian.groups_of(hamiltonian.trained_terms):
        uses.append("gradient")
    return ", ".join(uses)


def _phase_name(beta: float, betas: list[float]) -> str:
    if beta == 0.0:
        return "free"
    smallest = min(abs(other) for other in betas if other != 0.0)
    multiple = f"{abs(beta) / smallest:.3g}"
    name = "nudged" if multiple == "1" else f"nudged{multiple}x"
    return f"{name}_{'plus' if beta > 0 else 'minus'}"


def _write(folder: Path, named: list[NamedCircuit]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for circuit in named:
            write_atomically(folder / f"{circuit.name}.qasm", (circuit.qasm + "\n").encode())
            write_atomically(folder / f"{circuit.name}.txt", (circuit.drawing + "\n").encode())
    except OSError as error:
        raise RunFolderError(f"--out {folder}: cannot write there ({error.strerror})") from error


def _table(named: list[NamedCircuit], title: str) -> FittedTable:
    sizes, rows = ("qubits", "gates", "2-qubit", "depth"), []
    for item in named:
        circuit = item.circuit
        gates = [step for step in circuit.data if step.name not in ("barrier", "measure")]
        counts = circuit.num_qubits, len(gates), sum(len(gate.qubits) == 2 for gate in gates), circuit.depth()
        rows.append((item.name, f"{item.beta:g}", item.group, item.read_for or "not run", *map(str, counts)))
    return FittedTable.of(("circuit", "beta", "group", "read for", *sizes), rows, title, right=("beta", *sizes))
