"""Size of jobs whose circuits IBM's client changes: it is what the client itself makes of them.

Twirled circuits are sent once, with a description of the random gates from which the service draws; it is many times
as long as the circuit. Decoupling pulses are inserted before the circuit is sent.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence

from qiskit.providers import BackendV2
from qiskit_ibm_runtime.executor_sampler.prepare import prepare
from qiskit_ibm_runtime.options_models.sampler import SamplerOptions as ClientOptions
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from qep_qiskit.device.named_bits import with_named_bits
from qep_qiskit.device.specification import Pub
from qep_qiskit.execution.sampler_options import SamplerOptions

_SCHEMA = "v2.0"
_BYTES_BESIDE = 430  # program, device, tags and limits; measured


def payload_of_changed(pubs: Sequence[Pub], options: SamplerOptions, shots: int, device: BackendV2) -> int:
    """Size in bytes of a job as sent to a device.

    Args:
        pubs: The PUBs.
        options: Options of the sampler.
        shots: Shots of every circuit.
        device: The device, which decoupling pulses are fitted to.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = [(with_named_bits(pub.circuit), pub.values) for pub in pubs]
        given = ClientOptions(**options.for_ibm(shots))
        program, made = prepare(changed, given, shots, backend=device)
        sent = QUANTUM_PROGRAM_PARAMS_CONVERTERS[_SCHEMA].encoder(program, made).model_dump(mode="json")
    return len(json.dumps(sent)) + _BYTES_BESIDE
