"""IBM's sampler on a simulated device, with dynamical decoupling and twirling as on the device."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from qiskit.providers import BackendV2
from qiskit_ibm_runtime.executor_sampler import Sampler

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.backend_runs import bits_of_pubs, one_line
from qep_qiskit.execution.circuits import Transpile
from qep_qiskit.execution.interface import GroupMeasurement, Request
from qep_qiskit.execution.sampler_executor import SamplerExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.outcomes.states import ProgramStates


class LocalIbmExecutor(SamplerExecutor):
    """Runs measured circuits through IBM's sampler in its local mode, which adds decoupling pulses and twirls.

    All random numbers, those of the twirls included, follow from the root seed.

    Args:
        simulator: An Aer simulator with gates, durations and noise of a device.
        seeds: Root of the random streams.
        options: Options of the sampler.
        place: Transpiles programs for the simulated device.
    """

    def __init__(self, simulator: BackendV2, seeds: Seeds, options: SamplerOptions, *, place: Transpile) -> None:
        super().__init__(simulator, seeds, place=place)
        self._simulator, self._options = simulator, options

    def _bits(
        self, request: Request, prepared: ProgramStates, measurement: GroupMeasurement, shots: int
    ) -> NDArray[np.uint8]:
        """Bits of one measurement; every PUB has a seed of its own, since the sampler would use one seed for all."""
        options = self._options.of_request(request.randomizations)
        pubs, found = self._pubs(prepared, measurement), []
        for place, (_, circuit, values) in enumerate(pubs):
            seed = self._seeds.simulator_seed(
                *request.key.seed_words, *measurement.seed_words, *([place] if place else [])
            )
            simulator = {"angle_decimals": 15, "seed_simulator": seed}
            with one_line(self.backend_name, circuit.name), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sampler = Sampler(mode=self._simulator, options={"simulator": simulator} | options.for_ibm(shots))
                results = sampler.run([(circuit, values)], shots=shots).result()
            (bits,) = bits_of_pubs(results, [(circuit, values)], options.executions(shots), self.backend_name)
            found.append(bits.reshape(-1, *bits.shape[-2:])[:, :shots])
        return np.concatenate(found)[np.argsort(np.concatenate([rows for rows, *_ in pubs]))]
