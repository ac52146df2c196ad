"""Providers whose transpilers take no free angles: every circuit is bound first, and transpiled on its own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import (
    BackendSamplerV2,
    BasePrimitiveJob,
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.primitives.primitive_job import PrimitiveJob
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

__all__ = ["BoundCircuitSampler", "takes_free_angles"]


def takes_free_angles(backend: BackendV2, optimization_level: int) -> bool:
    """Whether the transpiler of a backend takes circuits whose angles are not bound yet.

    Args:
        backend: The backend.
        optimization_level: Of the transpiler.
    """
    circuit, angle = QuantumCircuit(2), Parameter("angle")
    circuit.rx(angle, 0)
    circuit.rz(angle, 0)
    circuit.rzz(angle, 0, 1)
    try:
        generate_preset_pass_manager(optimization_level=optimization_level, backend=backend).run(circuit)
    except Exception:  # a provider's transpiler may raise anything
        return False
    return True


class BoundCircuitSampler(BaseSamplerV2):
    """A sampler that binds every circuit, transpiles it for its backend, and runs all of them in one call.

    Args:
        backend: The backend.
        seed: Of its simulator, where it has one.
        optimization_level: Of the transpiler.
    """

    def __init__(self, backend: BackendV2, seed: int, *, optimization_level: int) -> None:
        self._sampler = BackendSamplerV2(backend=backend, options={"seed_simulator": seed})
        self._transpiler = generate_preset_pass_manager(
            optimization_level=optimization_level, backend=backend, seed_transpiler=0
        )

    def run(
        self, pubs: Iterable[object], *, shots: int | None = None
    ) -> BasePrimitiveJob[PrimitiveResult[SamplerPubResult], object]:
        """Start; the shots of circuits with one register come back as those of their PUBs."""
        coerced = [SamplerPub.coerce(pub, shots) for pub in pubs]
        job: PrimitiveJob[PrimitiveResult[SamplerPubResult], object] = PrimitiveJob(self._run, coerced)
        job._submit()
        return job

    def _run(self, pubs: list[SamplerPub]) -> PrimitiveResult[SamplerPubResult]:
        bound = [np.atleast_1d(np.asarray(pub.parameter_values.bind_all(pub.circuit))).ravel() for pub in pubs]
        circuits = self._transpiler.run([circuit for own in bound for circuit in own])
        shots = np.repeat([pub.shots for pub in pubs], [len(own) for own in bound]).tolist()
        results = self._sampler.run([(c, None, s) for c, s in zip(circuits, shots, strict=True)]).result()
        found, start = [], 0
        for pub, own in zip(pubs, bound, strict=True):
            part, start = results[start : start + len(own)], start + len(own)
            (register,) = pub.circuit.cregs
            memories = [getattr(result.data, register.name) for result in part]
            array = np.stack([memory.array for memory in memories]).reshape(*pub.shape, *memories[0].array.shape)
            data = DataBin(**{register.name: BitArray(array, memories[0].num_bits)}, shape=pub.shape)
            found.append(SamplerPubResult(data))
        return PrimitiveResult(found)
