"""Rows that measure what Ringway itself takes of the machine."""

import resource
import shutil
import time

from . import report
from .machine import WORKER_CORE, HugePages
from .processes import Invalid, Process, Threads
from .ringway import QuietNamespace, Ringway
from .runs import HUGE_MEGABYTES
from .switches import ALL_CORES, REPOSITORY, Setup

IDLE_SECONDS = 10


class Idle:
    """What an idle Ringway takes of the processor with `idle: adaptive`."""

    name = "idle"

    def measure(self, run):
        title = f"{self.name}: processor time without traffic, `idle: adaptive`"
        lines = []
        try:
            with HugePages(HUGE_MEGABYTES), QuietNamespace() as namespace:
                for ports, place in (
                    ("net_af_packet, which wake the worker", namespace),
                    ("net_null, which it polls", None),
                ):
                    worker, others = self.shares(Ringway(run.place("ringway"), Setup(), "adaptive", place))
                    run.say(f"{self.name}: {ports}: worker {worker:.1%}, other threads {others:.1%}")
                    lines.append((ports, f"{worker:.1%}", f"{others:.1%}"))
        except Invalid as reason:
            run.refuse(self.name, Ringway.name, reason)
            return report.section(title, "Invalid.", "")
        explanation = f"Two ports that receive nothing, {IDLE_SECONDS} s; user and system time, in parts of one core."
        header = ("ports", f"worker (core {WORKER_CORE})", "all other threads together")
        return report.section(title, explanation, report.table(header, lines))

    @staticmethod
    def shares(switch):
        """Of the worker and of all other threads, in parts of one core."""
        with switch:
            time.sleep(2)
            threads = Threads(switch.pid)
            time.sleep(IDLE_SECONDS)
            shares, pinned = threads.shares(), threads.pinned_to(WORKER_CORE)
            switch.process.require_alive()
            if not pinned:
                raise Invalid(f"no thread is pinned to core {WORKER_CORE}")
            worker = sum(shares[thread] for thread in pinned)
            return worker, sum(shares.values()) - worker


def processor_seconds():
    """Of all children that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Build:
    """How long a release build from nothing takes, without fetching the dependencies."""

    name = "build"

    def measure(self, run):
        title = f"{self.name}: a clean release build"
        scratch, log = run.directory / "build", run.directory / "build.log"
        swift = shutil.which("swift") or "/opt/swift/usr/bin/swift"
        options = ("--package-path", REPOSITORY, "--scratch-path", scratch, "--manifest-cache", "none")
        try:
            self.wait(Process([swift, "package", *options, "resolve"], log, ALL_CORES))
            used, before = processor_seconds(), time.monotonic()
            self.wait(Process([swift, "build", *options, "--configuration", "release"], log, ALL_CORES))
            elapsed, used = time.monotonic() - before, processor_seconds() - used
        except (Invalid, OSError) as reason:
            run.refuse(self.name, "swift build", reason)
            return report.section(title, "Invalid.", "")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        run.say(f"{self.name}: {elapsed:.0f} s")
        explanation = "`swift build --configuration release` into an empty folder, dependencies fetched; no tests."
        return report.section(
            title, explanation, report.table(("seconds", "processor seconds"), [(f"{elapsed:.0f}", f"{used:.0f}")])
        )

    @staticmethod
    def wait(process):
        try:
            if process.popen.wait(3600):
                raise Invalid(f"{process.name} failed:\n{process.tail()}")
        finally:
            process.stop()
