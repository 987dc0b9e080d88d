"""The rows of the benchmark. Each measures something and makes it a section of the report; what is invalid it names."""

import os
import resource
import shutil
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from . import report, traffic
from .machine import CONTROL_CORE, WORKER_CORE, HugePages
from .measure import take_sample
from .processes import Invalid, Process, Threads
from .switches import ALL_CORES, REPOSITORY, BareLoop, OpenVSwitch, QuietNamespace, Ringway

# For one switch at a time: DPDK's memory of 1 GiB, and what Open vSwitch adds to it for its packets.
HUGE_MEGABYTES = 2560
RULES = 100_000
IDLE_SECONDS = 10


@dataclass
class Run:
    """One call of the benchmark: where its files are, how long and how often it measures, what turned out invalid."""

    directory: Path
    rounds: int
    window: float
    say: Callable[[str], None]
    invalid: list = field(default_factory=list)
    starts: int = 0

    def place(self, name):
        """A new directory for one start of a switch. Short: the path of a Unix socket has at most 107 bytes."""
        self.starts += 1
        return self.directory / f"{self.starts}-{name}"

    def refuse(self, row, who, reason):
        """The report gets the first line of the reason; the log that may follow it is for the terminal."""
        self.invalid.append(f"{row}, {who}: {str(reason).splitlines()[0]}")
        self.say(f"{row}, {who}: INVALID: {reason}")


@dataclass(frozen=True)
class Rate:
    """A row that compares the rate of packets through each switch."""

    name: str
    title: str
    flows: int
    write_rules: Callable[[Path, int], None]
    settle: float = 3
    ovs_settle: float = 3

    def measure(self, run):
        pcap, rules = run.directory / f"{self.name}.pcap", run.directory / f"{self.name}.rules"
        traffic.write_pcap(pcap, self.flows)
        self.write_rules(rules, self.flows)
        makers = [
            lambda: BareLoop(run.place("bare"), pcap),
            lambda: Ringway(run.place("ringway"), pcap, rules),
            lambda: OpenVSwitch(run.place("ovs"), pcap, rules),
            lambda: OpenVSwitch(run.place("ovs"), pcap, rules, tuned=True),
        ]
        samples = {}
        with HugePages(HUGE_MEGABYTES):
            for number in range(1, run.rounds + 1):
                for make in makers:
                    switch = make()
                    self.take(run, switch, samples.setdefault(switch.name, []), number)
                    shutil.rmtree(switch.directory, ignore_errors=True)
        pcap.unlink()
        return report.section(f"{self.name}: {self.title}", self.explanation(run), self.body(samples))

    def take(self, run, switch, samples, number):
        """Adds a sample, or None in the place of an invalid one: rounds are compared with each other."""
        try:
            with switch:
                time.sleep(self.ovs_settle if isinstance(switch, OpenVSwitch) else self.settle)
                sample = take_sample(switch, run.window)
        except Invalid as reason:
            run.refuse(self.name, f"{switch.name}, round {number}", reason)
            samples.append(None)
            return
        samples.append(sample)
        mark = ", disturbed" if sample.disturbed else ""
        share = f"{sample.core_share:.0%} of the core{mark}"
        run.say(f"{self.name}, round {number}: {switch.name}: {sample.rate:.2f} Mpps ({share})")

    def explanation(self, run):
        return (
            f"64 B frames; rounds: {run.rounds}, in each of which every switch is started anew and measured over "
            f"{run.window:g} s. Median [first to third quartile]. *Per core* is by the time that the polling thread "
            "had the core, and so are the ratios, each within a round."
        )

    @staticmethod
    def body(samples):
        """The table; a round counts where all switches in it are valid."""
        complete = [number for number, all_of in enumerate(zip(*samples.values())) if None not in all_of]
        if not complete:
            return "No valid round.\n"
        rates = {name: [taken[number].per_core for number in complete] for name, taken in samples.items()}
        rivals = [name for name in rates if name.startswith("Open vSwitch")]
        best = max(rivals, key=lambda name: statistics.median(rates[name]))
        lines = []
        for name, values in rates.items():
            taken = [samples[name][number] for number in complete]
            disturbed = sum(sample.disturbed for sample in taken)
            lines.append(
                (
                    name,
                    report.spread([sample.rate for sample in taken], 2),
                    report.spread(values, 2),
                    report.ratio(values, rates[best]),
                    report.ratio(values, rates[BareLoop.name]),
                    f"{min(sample.core_share for sample in taken):.1%}",
                    f"{max(sample.steal for sample in taken):.1%}",
                    f"{disturbed} of {len(taken)}" if disturbed else "none",
                )
            )
        rates_header = ("switch", "Mpps", "Mpps per core", f"to {best}", "to the bare loop")
        return report.table((*rates_header, "least core share", "most steal", "disturbed"), lines)


class AddFlows:
    """How long `ovs-ofctl add-flows` takes, which waits for a barrier after each rule; no traffic."""

    name = "add-flows"
    title = f"{RULES:,} rules, a barrier after each"
    explanation = "`ovs-ofctl add-flows` over the management socket, into an empty table"

    @staticmethod
    def take(switch, rules):
        """Does what is timed; returns the seconds that it took."""
        return switch.push(rules)

    def measure(self, run):
        rules = run.directory / f"{self.name}.rules"
        traffic.write_rules(rules, RULES)
        makers = [
            lambda: Ringway(run.place("ringway"), None, None),
            lambda: Ringway(run.place("ringway"), None, None, idle="adaptive"),
            lambda: OpenVSwitch(run.place("ovs"), None, None),
        ]
        seconds = {}
        with HugePages(HUGE_MEGABYTES):
            for number in range(1, run.rounds + 1):
                for make in makers:
                    switch = make()
                    taken = seconds.setdefault(switch.name, [])
                    try:
                        with switch:
                            time.sleep(1)
                            threads = Threads(switch.pid)
                            elapsed = self.take(switch, rules)
                            share = max(threads.shares()[thread] for thread in threads.pinned_to(WORKER_CORE))
                            if (held := switch.aggregate()[1]) != RULES:
                                raise Invalid(f"{held} rules are there, {RULES} were added")
                    except Invalid as reason:
                        run.refuse(self.name, f"{switch.name}, round {number}", reason)
                        taken.append(None)
                    else:
                        taken.append((elapsed, share))
                        figure = f"{elapsed:.2f} s ({share:.0%} of the core)"
                        run.say(f"{self.name}, round {number}: {switch.name}: {figure}")
                    shutil.rmtree(switch.directory, ignore_errors=True)
        return report.section(
            f"{self.name}: {self.title}",
            f"{self.explanation}, on core {CONTROL_CORE}; rounds: {run.rounds}.",
            self.body(seconds),
        )

    @staticmethod
    def body(seconds):
        complete = [number for number, all_of in enumerate(zip(*seconds.values())) if None not in all_of]
        if not complete:
            return "No valid round.\n"
        valid = {name: [taken[number][0] for number in complete] for name, taken in seconds.items()}
        rival = valid[OpenVSwitch.name]
        lines = [
            (
                name,
                report.spread(taken, 2),
                f"{RULES / statistics.median(taken):,.0f}",
                report.ratio(taken, rival),
                f"{min(seconds[name][number][1] for number in complete):.1%}",
            )
            for name, taken in valid.items()
        ]
        header = ("switch", "seconds", "rules/s", "time, to Open vSwitch", "least core share of the polling thread")
        return report.table(header, lines)


class DumpFlows(AddFlows):
    """How long `ovs-ofctl dump-flows` takes, with what it prints itself; no traffic."""

    name = "dump-flows"
    title = f"{RULES:,} rules"
    explanation = "`ovs-ofctl dump-flows` over the management socket, its output included"

    @staticmethod
    def take(switch, rules):
        switch.push(rules)
        return switch.dump()


class FlowMods(AddFlows):
    """How long 100,000 flow-mods take that somebody has encoded before, with one barrier behind them; no traffic."""

    name = "B8"
    title = f"{RULES:,} exact 5-tuple flow-mods over TCP, then a barrier"
    explanation = "From the first byte sent to the barrier's reply, into an empty table"

    def measure(self, run):
        self.messages = traffic.flow_mods(RULES)
        return super().measure(run)

    def take(self, switch, _):
        # The client shares its core with the control side, as ovs-ofctl does in the other rows.
        os.sched_setaffinity(0, {CONTROL_CORE})
        try:
            return switch.send(self.messages)
        finally:
            os.sched_setaffinity(0, ALL_CORES)


class Idle:
    """What an idle Ringway takes of the processor with `idle: adaptive`."""

    name = "idle"

    def measure(self, run):
        title = f"{self.name}: processor time without traffic, `idle: adaptive`"
        lines = []
        try:
            with HugePages(HUGE_MEGABYTES), QuietNamespace() as namespace:
                for ports, place in (("net_af_packet, which wake the worker", namespace), ("net_null, which it polls", None)):
                    worker, others = self.shares(Ringway(run.place("ringway"), None, None, "adaptive", place))
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


ROWS = {
    row.name: row
    for row in (
        Rate("B1", "one rule on in_port, 1 flow", 1, traffic.write_port_rule),
        Rate("B2", "1,000 exact 5-tuple rules, 1,000 flows", 1000, traffic.write_rules),
        # Open vSwitch fills its cache of flows slowly.
        Rate("B3", "100,000 exact 5-tuple rules and flows", 100_000, traffic.write_rules, settle=5, ovs_settle=45),
        AddFlows(),
        DumpFlows(),
        FlowMods(),
        Idle(),
        Build(),
    )
}
# B3 takes minutes a round: by name only.
USUAL_ROWS = ["B1", "B2", "add-flows", "dump-flows", "B8", "idle", "build"]
