"""A stand-in for the client of IBM's service: what `IbmDevice` uses of it, and the ways in which it goes wrong.

It raises what the real client raises. Bits depend on circuit and values only, so that two jobs with the same content
have the same outcomes.
"""

import zlib
from types import SimpleNamespace

import numpy as np
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMRuntimeError, RuntimeJobFailureError, RuntimeJobNotFound
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qep_qiskit.execution.aer import fake_device
from qep_qiskit.execution.on_device import fractional_device

TOKEN = "a-token-that-nobody-may-see-0123456789"
INSTANCE = "crn:v1:stand-in"


def api_error(status, message="API internal error", headers=None):
    error = RequestsApiError(f"{status} {message} for {TOKEN}", status)
    said = {"errors": [{"code": 1000 + status, "message": message, "solution": "Wait."}]}
    error.response = SimpleNamespace(status_code=status, headers=headers or {}, json=lambda: said)
    return error


def run_error(status, **more):
    """As the client raises it: the status is only in the hidden context."""
    try:
        try:
            raise api_error(status, **more)
        except RequestsApiError as error:
            raise IBMRuntimeError(f"Failed to run program: {error}") from None
    except IBMRuntimeError as wrapped:
        return wrapped


def missing_error(job_id):
    """As the client raises it where no instance has a job."""
    try:
        raise api_error(404)
    except RequestsApiError:
        try:
            raise RuntimeJobNotFound(f"Job not found: {job_id}") from None
        except RuntimeJobNotFound as error:
            return error


class StandInDevice(FakeManilaV2):
    """Five qubits of a snapshot under a name of its own."""

    default_rep_delay = 250e-6

    def __init__(self):
        super().__init__()
        self.name, self.state = "ibm_stand_in", SimpleNamespace(operational=True, status_msg="active", pending_jobs=3)

    def status(self):
        return self.state


class StandInJob:
    def __init__(self, service, number, tags, pubs, shots, options):
        self.service, self.number, self.tags, self.pubs, self.shots = service, number, tags, pubs, shots
        self.options, self.state, self.reason, self.polls = options, "DONE", None, 0
        twirling = options.get("twirling")
        if twirling is not None:  # the client makes these and not the shots that it is asked for
            self.shots = twirling["num_randomizations"] * twirling["shots_per_randomization"]

    def job_id(self):
        return f"job{self.number}"

    def status(self):
        self.polls += 1
        self.service.answer("status")
        return "QUEUED" if self.is_queued else self.state

    @property
    def is_queued(self):
        return 0 < self.polls <= self.service.queue_polls and self.state == "DONE"

    def error_message(self):
        return self.reason

    def metrics(self):
        if self.is_queued:
            return self.service.queue
        self.service.answer("charge")
        return {"usage": {"qpu_charge_time_seconds": 7.0, "status": "complete"} | self.service.charge}

    def cancel(self):
        self.state = "CANCELLED"

    def result(self, timeout=None):
        self.service.answer("result")
        if self.state != "DONE":
            raise RuntimeJobFailureError(self.reason)
        found = [self._registers(pub) for pub in self.pubs]
        return self.service.spoil(found[:-1] if self.service.answer("short") else found)

    def _bits(self, pub):
        circuit, values = pub
        generator = np.random.default_rng(zlib.crc32(np.ascontiguousarray(values).tobytes()))
        size = circuit.num_clbits
        return generator.integers(0, 2**size, (*values.shape[:-1], self.shots, 1)).astype(np.uint8)

    def _registers(self, pub):
        """Bits of every register by its name; the first register has the least significant bits."""
        bits, first, found = self._bits(pub), 0, {}
        for register in pub[0].cregs:
            found[register.name] = SimpleNamespace(array=bits >> first & (1 << register.size) - 1)
            first += register.size
        return SimpleNamespace(data=SimpleNamespace(**found))


class StandInService:
    """Faults are lists of what happens to the next calls of a kind: None, an exception, or a word.

    Kinds: ``post`` (with the words ``accept_then_lost`` and ``twice``), ``list``, ``status``, ``result``, ``usage``,
    ``charge``. `charge` replaces parts of what is said about the charge of every job.
    `spoil` is what is done to every result, and `told` the job whose id answers a submission.
    """

    def __init__(self):
        self.device, self.accepted, self.posts = StandInDevice(), [], 0
        self.faults, self.lag, self.queue_polls, self.remaining = {}, 0, 0, 600
        self.charge, self.account_plan = {}, "open"
        self.queue = {"position_in_queue": 3, "estimated_start_time": "2026-01-02T03:04:05Z"}
        self.plan = lambda job: None
        self.rows_of_listing = lambda jobs: jobs
        self.spoil = lambda found: found
        self.told = lambda job: job

    def answer(self, kind):
        waiting = self.faults.get(kind)
        fault = waiting.pop(0) if waiting else None
        if isinstance(fault, Exception):
            raise fault
        return fault

    def active_account(self):
        return {"token": TOKEN}

    def instances(self):
        return [
            {"crn": "crn:v1:another", "plan": "premium", "name": "another"},
            {"crn": INSTANCE, "plan": self.account_plan, "name": "ours"},
        ]

    def active_instance(self):
        return INSTANCE

    def usage(self):
        self.answer("usage")
        return {"usage_remaining_seconds": self.remaining}

    def backends(self):
        return [self.device]

    def backend(self, name, use_fractional_gates=False):
        if name != self.device.name:
            raise QiskitBackendNotFoundError("No backend matches the criteria.")
        return self.device

    @property
    def _active_api_client(self):
        return self

    def jobs_get(self, limit, skip, job_tags, descending):
        self.answer("list")
        if self.lag > 0:
            self.lag -= 1
            return {"jobs": [], "count": 0}
        jobs = self.rows_of_listing([job for job in self.accepted if set(job_tags) <= set(job.tags)])
        rows = [{"id": job.job_id(), "tags": job.tags, "created": f"{job.number:06}"} for job in jobs]
        return {"jobs": (rows[::-1] if descending else rows)[skip : skip + limit], "count": len(rows)}

    def job(self, job_id):
        found = [job for job in self.accepted if job.job_id() == job_id]
        if not found:
            raise missing_error(job_id)
        return found[0]

    def job_results(self, job_id):
        return f"what {self.job(job_id).job_id()} gave"

    def sampler(self, mode, options):
        def run(pubs, shots):
            self.posts += 1
            fault = self.answer("post")
            for _ in range(2 if fault == "twice" else 1):
                tags = options["environment"]["job_tags"]
                job = StandInJob(self, len(self.accepted), tags, pubs, shots, options)
                self.plan(job)
                self.accepted.append(job)
            if fault == "accept_then_lost":
                raise run_error(504)
            return self.told(job)

        return SimpleNamespace(run=run)


class FractionalDevice(StandInDevice):
    """The stand-in with the gates of another snapshot."""

    def __init__(self, target):
        super().__init__()
        self._snapshot = target

    @property
    def target(self):
        return self._snapshot


class FractionalService(StandInService):
    """Has a device with fractional gates, and hands it out with them, without them, or as it is."""

    def __init__(self):
        super().__init__()
        whole = fake_device("fake_kingston", 3)
        self.kinds = {False: whole, True: fractional_device(whole), None: fractional_device(whole)}
        self.asked = []

    def backend(self, name, use_fractional_gates=False):
        self.asked.append(use_fractional_gates)
        super().backend(name)
        return FractionalDevice(self.kinds[use_fractional_gates].target)
