"""A provider for tests: backends by factories, some of which keep their jobs in a folder and retrieve them by id."""

import json
from pathlib import Path

from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result
from qiskit_aer import AerSimulator

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
