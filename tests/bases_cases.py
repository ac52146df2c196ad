"""Bases that act on several qubits, groups in them, and programs with layers in such groups."""

import numpy as np

from qep_qiskit.core.clifford import CliffordBasis
from qep_qiskit.core.fourier import FourierBasis, Register
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import Layer, LayerProgram

GATES = {"h": 1, "s": 1, "sdg": 1, "x": 1, "cx": 2, "cz": 2, "swap": 2}
REGISTERS = {
    "one register": (3, ((0, 3),)),
    "two registers": (4, ((0, 2), (2, 2))),
    "registers and qubits": (5, ((1, 2), (4, 1))),
    "a single qubit": (1, ((0, 1),)),
}


def random_clifford(num_qubits, rng, count=24):
    """Random gates of every kind that a Clifford basis knows."""
    names = rng.choice([name for name, width in GATES.items() if width <= num_qubits], count)
    return CliffordBasis(num_qubits, tuple((n, tuple(rng.permutation(num_qubits)[: GATES[n]].tolist())) for n in names))


def fourier(name):
    """One of `REGISTERS`."""
    num_qubits, registers = REGISTERS[name]
    return FourierBasis(num_qubits, tuple(Register(*register) for register in registers))


def group_in(basis, rng, count=5, name="own"):
    """Random generators."""
    masks = rng.permutation(np.arange(1, 1 << basis.num_qubits))[:count]
    return CommutingGroup(name=name, basis=basis, masks=tuple(masks.tolist()))


def mixed_groups(rng, kind):
    """Groups of several kinds on four qubits."""
    own = {"Clifford": lambda: random_clifford(4, rng), "Fourier": lambda: fourier("two registers")}[kind]()
    bases = [own, LocalBasis("ZZZZ"), LocalBasis("XYZX")]
    return tuple(group_in(basis, rng, name=f"g{place}") for place, basis in enumerate(bases))


def program_in(groups, rng, order=(0, 1, 2, 0, 1)):
    """Layers in the order given, with a parameter for every generator and random offsets."""
    layers, names = [], []
    for group in order:
        size = groups[group].num_terms
        source = np.arange(len(names), len(names) + size)
        names += [f"p{len(names) + place}" for place in range(size)]
        layers.append(Layer(group=group, source=source, scale=rng.normal(size=size), offset=rng.normal(size=size)))
    initial = rng.normal(size=(groups[0].num_qubits, 2)) + 1j * rng.normal(size=(groups[0].num_qubits, 2))
    initial /= np.linalg.norm(initial, axis=1)[:, None]
    return LayerProgram(groups=groups, initial=initial, layers=tuple(layers), parameter_names=tuple(names))
