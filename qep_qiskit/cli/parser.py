"""Arguments of ``qep``: the commands with their options."""

from __future__ import annotations

import argparse
from importlib import resources
from typing import NoReturn

from qep_qiskit import __version__
from qep_qiskit.cli.streams import tell

_STATES_ON_A_CLUSTER = (
    "compute states that take seconds each (Lanczos, DMRG, matrix products) on a running Dask cluster, such as "
    "tcp://10.0.0.1:8786; its workers must have this package"
)


class _Parser(argparse.ArgumentParser):
    """Argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        tell(f"error: {message}; see '{self.prog} --help'")
        raise SystemExit(2)


def _manual() -> str:
    return resources.files("qep_qiskit.cli").joinpath("manual.txt").read_text(encoding="utf-8")


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    manual, heading, examples = _manual().partition("examples:\n")
    qep = _Parser(
        prog="qep",
        description=manual,
        epilog=heading + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    qep.add_argument("--version", action="version", version=f"qep_qiskit {__version__}")
    commands = qep.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")

    _init(commands)
    _runs(commands)
    _jobs(commands)
    _answers(commands)
    _views(commands)
    _sweep(commands)
    _budget(commands)
    _plan(commands)
    _machine(commands)
    return qep


def _runs(commands: argparse._SubParsersAction) -> None:
    """Add the commands that train."""
    train = _command(commands, "train", "train a network", "Train the network of a configuration.")
    _config_argument(train)
    train.add_argument("--out", metavar="DIR", help="folder of the run; runs/<name of the file> by default")
    _scheduler_argument(train, _STATES_ON_A_CLUSTER)
    _unattended_argument(train)

    resume = _command(commands, "resume", "go on with a stopped run", "Go on with a run that was stopped or killed.")
    resume.add_argument("folder", metavar="DIR", help="folder of the run")
    resume.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        help="go on to N epochs in all, also after the end; the run keeps N",
    )
    _limit_argument(resume)
    resume.add_argument(
        "--replace-layout",
        action="store_true",
        help="lay the circuits out anew where the device no longer takes those that the run has kept",
    )
    _scheduler_argument(resume, _STATES_ON_A_CLUSTER)
    _unattended_argument(resume)


def _answers(commands: argparse._SubParsersAction) -> None:
    """Add the commands that measure with the weights of a run or of a configuration."""
    predict = _command(
        commands, "predict", "answer new inputs", "Measure a trained network's outputs on the rows of a CSV file."
    )
    predict.add_argument("folder", metavar="DIR", help="folder of the run")
    predict.add_argument("data", metavar="DATA.csv", help="rows with the input columns of the task")
    _set_argument(predict, of_run=True)
    predict.add_argument("--out", metavar="FILE.csv", help="write the predictions to a table instead of printing them")
    _json_argument(predict)
    _yes_argument(predict)

    evaluate = _command(
        commands,
        "evaluate",
        "loss and accuracy of a run",
        "Measure loss, accuracy and errors of a trained network, with standard errors, on the test samples of its run "
        "or on the rows of a CSV file.",
    )
    evaluate.add_argument("folder", metavar="DIR", help="folder of the run")
    evaluate.add_argument("data", metavar="DATA.csv", nargs="?", help="rows with the columns of the task")
    _set_argument(evaluate, of_run=True)
    _json_argument(evaluate)
    _yes_argument(evaluate)

    gradient = _command(
        commands,
        "gradient",
        "measure one gradient",
        "Measure the gradient at one training sample, with standard errors, at the starting weights of a "
        "configuration or at the weights of a run.",
    )
    _config_argument(gradient, or_run=True)
    gradient.add_argument("--sample", metavar="I", type=int, required=True, help="index of the training sample")
    gradient.add_argument(
        "--compare",
        choices=["exact", "finite-difference"],
        help="put beside the measured gradient the exact one, or the derivative of the reported cost by finite "
        "differences of the weights, which shares nothing with the contrast",
    )
    _json_argument(gradient)
    _yes_argument(gradient)


def _views(commands: argparse._SubParsersAction) -> None:
    """Add the commands that show circuits and runs."""
    circuits = _command(
        commands,
        "circuits",
        "show the circuits",
        "OpenQASM 3 and a drawing of every circuit of a gradient: each phase in each commuting group.",
    )
    _config_argument(circuits, or_run=True)
    circuits.add_argument("--sample", metavar="I", type=int, default=0, help="index of the training sample (0)")
    circuits.add_argument("--out", metavar="DIR", help="write them to a folder instead of printing them")
    show = _command(
        commands,
        "show",
        "what runs are and did",
        "The configuration, numbers, warnings and versions of a run; or several runs side by side: the keys that "
        "differ and the last numbers. The folder of a sweep stands for its runs.",
    )
    show.add_argument("folders", metavar="DIR", nargs="+", help="folder of a run or of a sweep")
    show.add_argument("--html", metavar="FILE", help="write a page that holds everything, with the figures")
    _json_argument(show)


def _machine(commands: argparse._SubParsersAction) -> None:
    """Add the commands about this machine and its account."""
    doctor = _command(
        commands,
        "doctor",
        "look over account and devices",
        "Versions, account, channel, certificates and proxy, login, instance, plan, devices and the QPU seconds that "
        "are left, each with what to do. Nothing is submitted. Exit code 2 if something is to be done.",
    )
    _json_argument(doctor)
    complete = _command(
        commands,
        "complete",
        "completion in a shell",
        "The script that completes commands, options and files; needs the extra 'completion'. For bash: "
        'eval "$(qep complete bash)" in ~/.bashrc.',
    )
    complete.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    version = _command(
        commands,
        "version",
        "versions of all that counts",
        "Versions of this package, of those that its numbers depend on, of Python and of the system.",
    )
    _json_argument(version)


def _init(commands: argparse._SubParsersAction) -> None:
    init = _command(
        commands,
        "init",
        "write an example to begin with",
        "Write a commented configuration, and the data that it names, into the working directory; without a name and "
        "options, list the examples. Options pick the nearest example and set what it has otherwise. Nothing is "
        "overwritten.",
    )
    init.add_argument("name", metavar="NAME", nargs="?", help="name of an example, such as iris")
    init.add_argument("--task", metavar="KIND", help="task.kind, such as csv")
    init.add_argument("--network", metavar="KIND", help="network.kind, such as ising")
    init.add_argument("--preparation", metavar="KIND", help="preparation.kind, such as adiabatic")
    init.add_argument("--backend", metavar="NAME", help="execution.backend, such as statevector")
    _set_argument(init)


def _jobs(commands: argparse._SubParsersAction) -> None:
    """Add the commands for runs on devices that process one job at a time."""
    submit = _command(
        commands,
        "submit",
        "send the next job of a run",
        "Send the next job of a run on a device and return: a new run from a configuration, or the folder of one. Jobs "
        "that were sent before must be done, and are applied first.",
    )
    _config_argument(submit, or_run=True)
    submit.add_argument("--out", metavar="DIR", help="folder of a new run; runs/<name of the file> by default")
    _limit_argument(submit)
    collect = _command(
        commands,
        "collect",
        "fetch and apply submitted jobs",
        "Wait for the jobs of a run that are under way, fetch their outcomes and apply them; nothing is sent. Exit "
        "code 3 if one is still queued after execution.wait_seconds.",
    )
    collect.add_argument("folder", metavar="DIR", help="folder of the run")
    collect.add_argument(
        "--result-only",
        metavar="JOB",
        help="only write the result of one job into the folder as the service gives it; nothing is applied",
    )
    jobs = _command(
        commands,
        "jobs",
        "list the jobs of a run",
        "The ledgers of a run: every job that was sent to its device, or to another one on which its network was "
        "measured, with its state. Of those that are not collected the service says whether they are queued or run, "
        "and where it tells, position and estimated start.",
    )
    jobs.add_argument("folder", metavar="DIR", help="folder of the run")
    asking = jobs.add_mutually_exclusive_group()
    asking.add_argument("--offline", action="store_true", help="do not ask the service")
    asking.add_argument(
        "--refresh", action="store_true", help="ask again for charges that are not known, and keep them"
    )
    _json_argument(jobs)
    cancel = _command(
        commands,
        "cancel",
        "cancel jobs under way",
        "Cancel the jobs of a run that are not done, also those that a lost ledger does not know. The run stays as it "
        "is: 'qep resume' or 'qep submit' sends them again.",
    )
    cancel.add_argument("folder", metavar="DIR", help="folder of the run")
    cancel.add_argument(
        "--forget",
        metavar="JOB",
        help="give up one job whose result cannot be had, by its id or row: it is sent anew, and its charge counts",
    )


def _limit_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-qpu-seconds",
        metavar="S",
        type=float,
        help="another limit than the execution.max_qpu_seconds that the run was started with",
    )


def _plan(commands: argparse._SubParsersAction) -> None:
    plan = _command(
        commands,
        "plan",
        "what a run would cost on a device",
        "Jobs, circuits, executions, payload and estimated QPU seconds of a step and of the run; where the circuits "
        "would sit and what of the signal would survive; what would make it cheaper, and whether the run would start "
        "(execution.max_qpu_seconds). Nothing is sent.",
    )
    _config_argument(plan, or_run=True)
    plan.add_argument("--backend", metavar="NAME", help="the device, such as fake_torino; execution.backend by default")
    _json_argument(plan)


def _budget(commands: argparse._SubParsersAction) -> None:
    budget = _command(
        commands,
        "budget",
        "how many shots are needed",
        "Measure how far gradients are off, as a function of shots, nudge, contrast, grouping and split, beside theory "
        "and other methods; or say how to reach an error. The keys of the studies are in [budget] of the "
        "configuration. A stopped study goes on by the same command.",
    )
    _config_argument(budget, or_run=True)
    budget.add_argument(
        "--study",
        action="append",
        metavar="NAME",
        choices=["gradient", "comparison", "training", "noise", "samples", "size", "ramp"],
        help="what to study: gradient, comparison, training, noise, samples, size or ramp; may be given many times "
        "(gradient and comparison)",
    )
    _over_argument(
        budget,
        "with --study size: the sizes, such as network.num_spins=4,8,12, and values of other keys, written as for "
        "'qep sweep'; may be given many times",
    )
    budget.add_argument("--out", metavar="DIR", help="folder of the study; budgets/<name of the file> by default")
    budget.add_argument(
        "--target-error",
        metavar="X",
        type=float,
        help="only answer: the shots, nudge, contrast and split for a relative error X of the gradient",
    )
    budget.add_argument(
        "--qpu-seconds", metavar="S", type=float, help="only answer: the best gradient for S seconds on a device"
    )
    _workers_arguments(budget)
    budget.add_argument("--format", choices=["csv", "parquet"], default="csv", help="of the tables (csv)")
    _json_argument(budget)


def _sweep(commands: argparse._SubParsersAction) -> None:
    sweep = _command(
        commands,
        "sweep",
        "train every point of a grid",
        "Train a run for every point of a grid over configuration keys and seeds, on all cores, and write one table: "
        "every configuration value beside every result. A point that is finished is not run again: the same command "
        "goes on with a stopped or killed sweep, and with more values in --over it adds to a finished one.",
    )
    _config_argument(sweep)
    _over_argument(
        sweep,
        "sweep a key: values between commas, or whole numbers a:b (from a to below b) or a:b:step; may be given many "
        "times",
    )
    sweep.add_argument("--out", metavar="DIR", help="folder of the sweep; sweeps/<name of the file> by default")
    _workers_arguments(sweep)
    sweep.add_argument("--format", choices=["csv", "parquet"], default="csv", help="of the tables (csv)")
    _json_argument(sweep)


def _over_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--over", metavar="key.path=VALUES", action="append", default=[], help=what)


def _workers_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", metavar="N", type=int, help="worker processes; one per core by default")
    _scheduler_argument(
        parser,
        "work on a running Dask cluster instead, such as tcp://10.0.0.1:8786; its workers must have this package "
        "and see the folder (and files of ansaetze and data) under the same path",
    )


def _scheduler_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--scheduler", metavar="ADDRESS", help=what)


def _command(commands: argparse._SubParsersAction, name: str, short: str, text: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=short, description=text)


def _config_argument(parser: argparse.ArgumentParser, *, or_run: bool = False) -> None:
    what = "a configuration in TOML, or the folder of a run" if or_run else "a configuration in TOML"
    parser.add_argument("config", metavar="CONFIG", help=what)
    _set_argument(parser)


def _set_argument(parser: argparse.ArgumentParser, *, of_run: bool = False) -> None:
    what = "replace or add a key of the configuration"
    of_runs = "measure with another key of execution, measurement, preparation or contrast; the run stays as it is"
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="key.path=value",
        action="append",
        default=[],
        help=f"{of_runs if of_run else what}; may be given many times",
    )


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _unattended_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--unattended",
        action="store_true",
        help="on a device, wait until outages and maintenance have passed, and keep a log in the run folder "
        "(unattended.log); for cron or tmux",
    )


def _yes_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="on a device, send without asking whether the price is fine")
