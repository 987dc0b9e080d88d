"""The machine that is measured on: what it must have, what it is, its huge pages, the time that others take from it."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from .processes import Invalid, run

CONTROL_CORE = 0
WORKER_CORE = 1

HUGE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
POLICY = Path("/usr/sbin/policy-rc.d")
OVS_DAEMON = Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")

# Debian package -> a file that shows that it is there.
PACKAGES = {
    "gcc": Path("/usr/bin/gcc"),
    "pkg-config": Path("/usr/bin/pkg-config"),
    "libdpdk-dev": Path("/usr/include/dpdk/rte_ethdev.h"),
    "openvswitch-common": Path("/usr/bin/ovs-ofctl"),
    "openvswitch-switch": Path("/usr/sbin/ovsdb-server"),
    "openvswitch-switch-dpdk": OVS_DAEMON,
}


def missing():
    """What is missing that the benchmark cannot get by itself, one line each."""
    lines = []
    if os.geteuid() != 0:
        lines.append("root is needed, for huge pages and DPDK: run it with sudo")
    if not {CONTROL_CORE, WORKER_CORE} <= os.sched_getaffinity(0):
        lines.append(f"cores {CONTROL_CORE} and {WORKER_CORE} are needed: one controls, one forwards")
    if not HUGE_PAGES.exists():
        lines.append("this kernel has no huge pages of 2 MiB")
    return lines


def missing_packages():
    return [package for package, file in PACKAGES.items() if not file.exists()]


def install(packages):
    """Installs Debian packages without letting them start a service: policy-rc.d says no (101) meanwhile."""
    if not shutil.which("apt-get"):
        raise Invalid(f"this is no Debian system: install by hand what corresponds to {' '.join(packages)}")
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    elif subprocess.run([POLICY, "openvswitch-switch", "start"], check=False).returncode != 101:
        raise Invalid(f"{POLICY} lets services start: install {' '.join(packages)} by hand")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run("apt-get", "update", "-qq", timeout=600, environment=environment)
        command = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
        run(*command, timeout=1800, environment=environment)
        # Nor does a newly installed service start at the next boot.
        if "openvswitch-switch" in packages and shutil.which("systemctl"):
            subprocess.run(["systemctl", "disable", "--quiet", "openvswitch-switch"], check=False, capture_output=True)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


class HugePages:
    """Sees to it that so many MiB are free in huge pages, and gives back exactly what it added.

    No hugetlbfs has to be mounted: all switches run with `--in-memory`, and so leave no files behind that hold pages.
    """

    def __init__(self, megabytes):
        self.wanted = megabytes // 2
        self.added = 0

    @staticmethod
    def number(name):
        return int((HUGE_PAGES / name).read_text())

    @classmethod
    def set_total(cls, pages):
        (HUGE_PAGES / "nr_hugepages").write_text(str(pages))

    def __enter__(self):
        lacking = self.wanted - (self.number("free_hugepages") - self.number("resv_hugepages"))
        if lacking > 0:
            before = self.number("nr_hugepages")
            self.set_total(before + lacking)
            self.added = self.number("nr_hugepages") - before
            if self.added < lacking:
                got = self.added
                self.__exit__()
                raise Invalid(f"{lacking * 2} MiB more are needed in huge pages, the kernel has {got * 2} MiB to give")
        return self

    def __exit__(self, *_):
        if self.added:
            self.set_total(max(0, self.number("nr_hugepages") - self.added))
            self.added = 0


class CoreTimes:
    """What became of a core's time since it was made, from /proc/stat."""

    def __init__(self, core=WORKER_CORE):
        self.core = core
        self.before = self.read()

    def read(self):
        for line in Path("/proc/stat").read_text().splitlines():
            words = line.split()
            if words[0] == f"cpu{self.core}":
                # user nice system idle iowait irq softirq steal; guest time is in user's already
                return [int(word) for word in words[1:9]]
        raise Invalid(f"/proc/stat has no core {self.core}")

    def steal(self):
        """The part of the time that the hypervisor gave to others."""
        delta = [after - before for before, after in zip(self.before, self.read())]
        return delta[7] / max(1, sum(delta))


def first_line(*command):
    try:
        return run(*command, timeout=60).strip().splitlines()[0]
    except (Invalid, IndexError, OSError):
        return "unknown"


def facts():
    """(name, value) pairs that belong beside every figure."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    tsc = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    return [
        ("processor", f"{model}, {os.cpu_count()} cores, clock source {tsc}"),
        ("memory", f"{memory} MiB, huge pages of 2 MiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("load at the start", load),
        ("DPDK", first_line("pkg-config", "--modversion", "libdpdk")),
        ("Open vSwitch", first_line(OVS_DAEMON, "--version") if OVS_DAEMON.exists() else "not installed"),
        ("gcc", first_line("gcc", "--version")),
        ("cores", f"{CONTROL_CORE} controls, {WORKER_CORE} forwards"),
    ]
