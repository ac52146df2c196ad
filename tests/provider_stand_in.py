"""A provider for tests: backends by factories, some of which keep their jobs in a folder and retrieve them by id."""

import json
from math import prod
from pathlib import Path

import numpy as np
from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result
from qiskit_aer import AerSimulator

from qep_qiskit import JobView, Price, RemoteDevice
from qep_qiskit.core.errors import DeviceError
from qep_qiskit.device.service import LostError, MissingError
from qep_qiskit.execution.backend_runs import bound_rows

not_a_function = 3


def nothing():
    """Makes no backend."""


def breaking():
    raise RuntimeError("the token\nis wrong")


class KeptJob(JobV1):
    """A job whose result lies in a file."""

    def __init__(self, backend, folder, job_id):
        super().__init__(backend, job_id)
        self._file = Path(folder) / f"{job_id}.json"

    def submit(self):
        """It is."""

    def status(self):
        return JobStatus[json.loads(self._file.read_text())["state"]]

    def result(self):
        return Result.from_dict(json.loads(self._file.read_text())["result"])

    def cancel(self):
        self._file.write_text(json.dumps({"state": "CANCELLED"}))
        return True


class KeepingBackend(BackendV2):
    """Runs at once and keeps results; with a file ``lose_next`` in its folder it loses the answer to a submission."""

    max_circuits = 100

    def __init__(self, folder):
        super().__init__(name="keeping")
        self._folder, self._aer = Path(folder), AerSimulator()

    @property
    def target(self):
        return self._aer.target

    @classmethod
    def _default_options(cls):
        return Options(shots=1024)

    def run(self, circuits, *, shots, memory=False):
        jobs = len(list(self._folder.glob("job*.json")))
        result = self._aer.run(circuits, shots=shots, memory=memory, seed_simulator=jobs + 1).result()
        content = {"state": "DONE", "result": result.to_dict()}
        (self._folder / f"job{jobs}.json").write_text(json.dumps(content, default=str))
        losing = self._folder / "lose_next"
        if losing.exists():
            losing.unlink()
            raise ConnectionError("no answer")
        return self.retrieve_job(f"job{jobs}")

    def retrieve_job(self, job_id):
        return KeptJob(self, self._folder, job_id)


class VendorDevice(RemoteDevice):
    """A vendor's own device: its jobs have tags and are listed by them, and its price is in euros."""

    name, instance, price, lists_jobs = "vendor", "account 7", Price(unit="EUR", per_job=1.0, per_execution=0.001), True

    def __init__(self, folder):
        self._folder, self._kept = Path(folder), KeepingBackend(folder)

    @property
    def backend(self):
        if (self._folder / "hidden").exists():
            raise DeviceError("the machine is in repair")
        return self._kept

    def send(self, specification, tags, most_seconds):
        rows = bound_rows([(pub.circuit, pub.values) for pub in specification.pubs])
        job_id = self._kept.run(rows, shots=specification.shots, memory=True).job_id()
        (self._folder / f"tags_{job_id}").write_text(json.dumps(tags))
        if (self._folder / "lose_next_answer").exists():
            (self._folder / "lose_next_answer").unlink()
            raise LostError("no answer")
        return job_id

    def find(self, tag):
        found = {path.name[5:]: tuple(json.loads(path.read_text())) for path in sorted(self._folder.glob("tags_*"))}
        return {job_id: tags for job_id, tags in found.items() if tag in tags}

    def job_view(self, job_id):
        if not (self._folder / f"{job_id}.json").exists():
            raise MissingError("no such job")
        state = {"DONE": "done", "CANCELLED": "cancelled"}[self._kept.retrieve_job(job_id).status().name]
        return JobView(state=state, tags=tuple(json.loads((self._folder / f"tags_{job_id}").read_text())))

    def fetch(self, job_id, specification):
        result = self._kept.retrieve_job(job_id).result()
        bits = np.array([[int(word, 0) for word in found.data.memory] for found in result.results], dtype=np.uint8)
        ends = np.cumsum([prod(shape) for shape in specification.shapes])[:-1]
        return [
            part.reshape(*shape, specification.shots, 1)
            for part, shape in zip(np.split(bits[..., None], ends), specification.shapes, strict=True)
        ]

    def raw_result(self, job_id):
        return (self._folder / f"{job_id}.json").read_text()

    def cancel(self, job_id):
        self._kept.retrieve_job(job_id).cancel()
