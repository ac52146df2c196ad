"""``qep train``: start a new run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qep_qiskit.cli.device_view import show_start
from qep_qiskit.cli.sweep import train_folds
from qep_qiskit.cli.unattended import patiently, run_unattended
from qep_qiskit.cli.working import free_folder, require_device, say_stopped, working_in
from qep_qiskit.config import Experiment, from_file, load_config
from qep_qiskit.config.executor import build_retry_policy
from qep_qiskit.core.errors import QepError
from qep_qiskit.device.retries import RetryingDevice
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.learning import Callback
from qep_qiskit.runs.cluster import states_on_cluster
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import device_of, open_run, start_run


def run(options: argparse.Namespace) -> int:
    """Start a run and train it, or the runs of all folds of a cross-validation."""
    folds = load_config(options.config, options.overrides).task.untrained_folds
    if folds and not options.unattended:
        return train_folds(options.config, options.overrides, options.out, folds, options.scheduler)
    if not options.unattended:
        with states_on_cluster(options.scheduler):
            folder, experiment, device, callbacks = started(options.config, options.overrides, options.out)
            with folder.removed_if_refused(experiment.config.execution):
                return train_in(folder, experiment, device, callbacks)
    folder, experiment, device, callbacks = patiently(
        lambda: started(options.config, options.overrides, options.out, only_on_device="train --unattended")
    )
    first = [(experiment, device, callbacks)]

    def attempt() -> int:
        return train_in(folder, *first.pop()) if first else train_in(*open_run(folder.path))

    return run_unattended(folder, attempt)


def started(
    config: str, overrides: Sequence[str], out: str | None, *, only_on_device: str | None = None
) -> tuple[RunFolder, Experiment, RemoteDevice | None, tuple[Callback, ...]]:
    """Build all objects first, so that nothing is written in case of an error; then create the folder of the run.

    Args:
        config: The configuration file.
        overrides: ``key.path=value`` texts.
        out: Folder of the run; by default the first free one with the name of the configuration.
        only_on_device: Name of the command, if it is for devices only.

    Raises:
        ResourceError: The estimated QPU seconds exceed the limit.
        ConfigError: The command is for devices only, and the run is on this machine.
    """
    experiment = from_file(config, overrides)
    if only_on_device is not None:
        require_device(experiment, only_on_device)
    path = Path(out) if out else free_folder(Path("runs") / Path(config).stem)
    callbacks = experiment.callbacks(path)
    device = device_of(experiment)
    if device is not None:
        _require_start(experiment, device)
    try:
        return start_run(path, experiment), experiment, device, callbacks
    except QepError:
        if device is not None:
            device.close()
        raise


def _require_start(experiment: Experiment, device: RemoteDevice) -> None:
    """Check the cost estimate before anything is written. Qiskit's transpiler is imported only here."""
    from qep_qiskit.execution.surviving_signal import warn_of_lost_signal
    from qep_qiskit.plan.estimate import estimate_on

    RetryingDevice(device, build_retry_policy(experiment.config)).require_open("try later or use another backend")
    plan = estimate_on(experiment, device)
    for program in plan.programs:
        warn_of_lost_signal(program.surviving, plan.device)
    plan.require_start()
    show_start(plan)
    device.batch()


def train_in(
    folder: RunFolder,
    experiment: Experiment,
    device: RemoteDevice | None = None,
    callbacks: Sequence[Callback] | None = None,
) -> int:
    """Train in a run folder, from its last checkpoint or from the start, and write the report at the end.

    Args:
        folder: Folder of the run.
        experiment: Objects of the run.
        device: The device of the run, if it is already known.
        callbacks: The callbacks of its configuration, if they are already made.
    """
    with working_in(folder, experiment, device, callbacks=callbacks) as work:
        if work.outcome == "stopped":
            return say_stopped(work, folder)
    return 0
