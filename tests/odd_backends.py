"""Backends of other providers: results in every shape that Qiskit allows, and results that are not there."""

from types import SimpleNamespace

from qiskit.providers import BackendV2, Options
from qiskit.result import Result
from qiskit_aer import AerSimulator


def counts_only(data, last):
    for found in data["results"]:
        found["data"].pop("memory")


def binary(data, last):
    for found in data["results"]:
        size = found["header"]["memory_slots"]
        found["data"]["memory"] = [format(int(word, 16), f"0{size}b") for word in found["data"]["memory"]]


def binary_counts(data, last):
    for found in data["results"]:
        size = found["header"]["memory_slots"]
        counts = {format(int(word, 16), f"0{size}b"): count for word, count in found["data"]["counts"].items()}
        found["data"] = {"counts": counts}


def without_header(data, last):
    for found in data["results"]:
        found.pop("header")


def failed(data, last):
    last.update(success=False, status="ERROR: out of qubits", data={})
    data.update(success=False, status="PARTIAL COMPLETED")


def failed_job(data, last):
    data.update(success=False, status="ERROR: no power")


def nothing_ran(data, last):
    data.update(success=False, status="ERROR: no power", results=[])


def fewer_shots(data, last):
    last["data"]["memory"].pop()


def more_shots(data, last):
    last["data"]["memory"].append("0x0")


def fewer_counts(data, last):
    last["data"].pop("memory")
    word, count = last["data"]["counts"].popitem()
    if count > 1:
        last["data"]["counts"][word] = count - 1


def no_data(data, last):
    last["data"] = {}


def renamed(data, last):
    last["header"]["creg_sizes"] = [["c", last["header"]["memory_slots"]]]


def narrower(data, last):
    last["header"].update(memory_slots=2, creg_sizes=[["meas", 2]])


def missing_circuit(data, last):
    data["results"].pop()


def extra_circuit(data, last):
    data["results"].append(last)


def too_wide(data, last):
    last["data"]["memory"][0] = "0xff"


def frequencies(data, last):
    counts = last["data"].pop("counts")
    last["data"] = {"counts": {word: count / sum(counts.values()) for word, count in counts.items()}}


def not_a_number(data, last):
    last["data"] = {"counts": dict.fromkeys(last["data"]["counts"], float("nan"))}


def negative(data, last):
    last["data"].pop("memory")
    last["data"]["counts"]["0x0"] = -1


def good(data, last):
    pass


class OddBackend(BackendV2):
    """Aer in the clothes of another provider.

    Args:
        change: What is done to the data of every result.
        simulator: Runs.
        most_shots: Of one circuit in a run, or None.
        most_circuits: Of one run, or None.
        seed: A fixed seed of every run, whatever is asked for; None to take what is asked for.
        job_status: What the job says of itself.
    """

    def __init__(self, change=good, *, most_shots=None, most_circuits=None, seed=None, job_status="DONE"):
        super().__init__(name=f"odd_{change.__name__}")
        self.change, self.simulator, self.seed, self.job_status = change, AerSimulator(), seed, job_status
        self.most_circuits, self.runs = most_circuits, []
        if most_shots is not None:
            self.options.set_validator("shots", (1, most_shots))

    @property
    def target(self):
        return self.simulator.target

    @property
    def max_circuits(self):
        return self.most_circuits

    @classmethod
    def _default_options(cls):
        return Options(shots=1024)

    def run(self, circuits, shots, **options):
        seed = options.get("seed_simulator") if self.seed is None else self.seed
        self.runs.append((len(circuits), shots, seed))
        data = self.simulator.run(circuits, shots=shots, memory=True, seed_simulator=seed).result().to_dict()
        self.change(data, data["results"][-1])
        result = Result.from_dict(data)
        return SimpleNamespace(result=lambda: result, status=lambda: self.job_status)
