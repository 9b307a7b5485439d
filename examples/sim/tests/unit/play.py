"""Plays the roles of the integration test as processes, in a checkout of any version."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys

from conftest import ROOT

OLDER = ("report-addr", "ports", "oldest")
NEWEST = "newest"
_TEST = "tests/integration/defs/perf/test_perf_sanity.py"


def path_of_test(version):
    """Returns the path of the test of a version."""
    return os.path.join(ROOT, _TEST) if version == NEWEST else os.path.join(ROOT, "versions", version, _TEST)


def version_of(name):
    """Returns what the test of a version says about itself."""
    spec = importlib.util.spec_from_file_location(f"test_of_{name.replace('-', '_')}", path_of_test(name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VERSION


def make_checkout(folder, version):
    """Makes a checkout of an older version in `folder` and returns its path; the newest is this one."""
    if version == NEWEST:
        return ROOT
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns("versions", "unit"))
    shutil.copytree(os.path.join(ROOT, "versions", version), folder, dirs_exist_ok=True)
    return str(folder)


def make_case(**benchmark):
    """Returns a disaggregated config, small and fast."""
    worker = {"print_iter_log": True, "sim_startup_seconds": 0.05}
    load = {"concurrency_list": 2, "multi_round": 2, "input_length": 8, "output_length": 16}
    return {
        "metadata": {"model_name": "tiny"},
        "benchmark": load | benchmark,
        "hardware": {"num_ctx_servers": 1, "num_gen_servers": 1},
        "worker_config": {"gen": worker, "ctx": worker | {"cache_transceiver_config": {"backend": "NIXL"}}},
    }


class Job:
    """Roles that are started in one folder, gone when the test is."""

    def __init__(self, folder, test_id, case, checkout=ROOT, folder_variable="DISAGG_CONFIG_FOLDER"):
        self.test_id = test_id
        self.checkout = checkout
        self.output = folder / "out"
        self.files = self.output / test_id
        self.files.mkdir(parents=True)
        self.processes = {}
        (folder / "tiny.yaml").write_text(json.dumps(case))
        path = os.pathsep.join([os.path.dirname(sys.executable), os.path.join(checkout, "bin"), os.environ["PATH"]])
        self.environment = os.environ | {
            folder_variable: str(folder),
            "PATH": path,
            "TRTLLM_PERF_RUN_TOKEN": "local",
        }

    def start(self, role, log, launcher=None, **environment):
        """Starts a role, whose output goes to the file `log`. Workers are started by the launcher unless it says."""
        use_launcher = role[0] in "GC" if launcher is None else launcher
        launch = [sys.executable, os.path.join(self.checkout, "bin/trtllm-llmapi-launch")] if use_launcher else []
        test = f"perf/test_perf_sanity.py::test_e2e[{self.test_id}]"
        with open(self.files / log, "wb") as file:
            self.processes[role] = subprocess.Popen(
                [*launch, sys.executable, "-m", "pytest", "-vv", test, "--output-dir", str(self.output)],
                cwd=os.path.join(self.checkout, "tests/integration/defs"),
                env=self.environment | {"DISAGG_SERVING_TYPE": role} | environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_all(self, roles, **environment):
        """Starts roles, each with a log of its own name, and workers without the launcher."""
        for role in roles:
            self.start(role, f"{role}.log", launcher=False, **environment)

    def wait(self, role):
        """Returns the exit code of a role."""
        return self.processes[role].wait(timeout=60)

    def codes(self):
        """Returns the exit codes of all roles."""
        return {role: self.wait(role) for role in self.processes}

    def text(self, name):
        """Returns what is in a file of the test."""
        return (self.files / name).read_text()

    def names(self, pattern):
        """Returns the names of the files of the test that fit."""
        return sorted(path.name for path in self.files.glob(pattern))

    def kill(self):
        """Ends what is still there, with what it has started."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
