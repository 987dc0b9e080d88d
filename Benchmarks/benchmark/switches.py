"""What is compared, without the OpenFlow: how a switch under test is set up, started and ended, and the bare DPDK loop.

Port 1 (`in`) receives traffic, port 2 (`out`) is a sink; a switch on several cores has more ports like the first, and port
10, if it is there, has a network function behind it. All forward on the same cores. Each switch is a context: started when
it is entered, with its own files in a directory of its own, and ended when it is left. No Open vSwitch that the system
itself may run is touched.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .machine import CONTROL_CORE, WORKER_CORE
from .processes import Process, run

REPOSITORY = Path(__file__).resolve().parents[2]
NETLIB = REPOSITORY / "Sources" / "CVMRing" / "include"
ALL_CORES = {CONTROL_CORE, WORKER_CORE}

# Without no-rx=1 the sink hands out an empty frame on every poll, and the switch under test classifies junk.
SINK = "net_null1,no-rx=1"
# A port without traffic, for the rows that have none.
SILENT = "net_null0,no-rx=1"
# The port of the first network function; others follow.
FUNCTION = 10


@dataclass(frozen=True)
class Setup:
    """What a switch is started with."""

    sources: tuple = (SILENT,)  # DPDK devices, one for each of the cores
    sink: str = SINK
    rules: Path | None = None  # a file for ovs-ofctl
    messages: bytes = b""  # OpenFlow messages in its place, with a barrier request at the end
    flow_limit: int = 200_000
    cores: tuple = (WORKER_CORE,)
    sockets: tuple = ()  # that the devices listen on, and leave behind
    functions: int = 0  # so many ports from FUNCTION on have a network function each; the bare loop has none
    # How Ringway reaches them: "shared": all ports receive into their memory; "copied": no port does; "vhost": by virtio, as Open vSwitch.
    attachment: str = "shared"

    @property
    def function_ports(self):
        return range(FUNCTION, FUNCTION + self.functions)

    @property
    def ports(self):
        """(number, name, device) of each"""
        first, *others = self.sources
        more = [(number, f"in{number}", device) for number, device in enumerate(others, start=3)]
        return [(1, "in", first), (2, "out", self.sink), *more]


class Counts(NamedTuple):
    """The ports' own counters at a moment (seconds of the monotonic clock)."""

    time: float
    received: int
    sent: int
    sink_received: int
    functions: tuple = ()  # packets handed to each network function, and received from it

    @property
    def way(self):
        """Packets at each of the ports that they go through, one after the other."""
        return (self.received, *self.functions, self.sent)


class Switch:
    """One of the contestants, forwarding on `setup.cores`."""

    name: str
    # Of the sink: on how many queues it may send.
    transmit_queues = 1

    def __init__(self, directory: Path, setup: Setup):
        self.directory = directory
        self.setup = setup
        self.process = None

    def __enter__(self):
        self.directory.mkdir(parents=True)
        for path in self.setup.sockets:
            path.unlink(missing_ok=True)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        raise NotImplementedError

    def start_function(self) -> Process | None:
        """Starts the network functions on the control core; they attach by and by. None: the switch has no use for them."""
        return None

    def function_devices(self):
        """EAL arguments of a process that is itself the network functions, where these are virtio devices."""
        return ()

    def function_files(self):
        """The files of packets and of rings for a process that is itself the network function, where it has any."""
        return ()

    def has_function(self):
        """Whether all functions have attached."""
        return True

    def counts(self) -> Counts:
        raise NotImplementedError

    def stop(self):
        """Ends it. A switch that has to be killed is worth a remark, but its figures stand."""
        if self.process and not self.process.stop():
            print(f"bench: {self.name} did not end when asked to, and was killed", flush=True)
        self.process = None


def compile_program(name, executable, *libraries):
    """Compiles a C program of this folder as the data plane of Ringway is: optimised, for x86-64-v3."""
    flags = run("pkg-config", "--cflags", "libdpdk").split()
    linked = [f"-l{library}" for library in ("rte_eal", "rte_ethdev", "rte_mbuf", "rte_mempool", *libraries)]
    source = REPOSITORY / "Benchmarks" / name
    run("gcc", "-O3", "-Wall", "-Wextra", *flags, "-march=x86-64-v3", "-I", NETLIB, source, "-o", executable, *linked, timeout=120)


def virtio_devices(sockets, packed=False):
    """EAL arguments of a process that is the network functions behind vhost-user ports; it has the sockets."""
    # Short queues, as packets of 1518 B in longer ones do not stay in the caches.
    queues = f"queues=1,queue_size=256,packed_vq={int(packed)}"
    devices = [f"net_virtio_user{number},path={path},server=1,{queues}" for number, path in enumerate(sockets)]
    return [word for device in devices for word in ("--vdev", device)] + ["--single-file-segments"]


def start_virtio_loop(directory, devices):
    """virtio_loop.c, in the place of a guest behind each vhost-user port."""
    program = directory / "virtio_loop"
    compile_program("virtio_loop.c", program)
    command = [program, "--lcores", f"0@{CONTROL_CORE}", "-m", "256", "--in-memory", "--no-pci", "--no-telemetry"]
    command += ["--file-prefix", f"function{os.getpid()}", *devices]
    return Process(command, directory / "function.log", {CONTROL_CORE})


class BareLoop(Switch):
    """bare_loop.c: what the cores, the sources and the sink allow at all."""

    name = "bare loop"

    def start(self):
        executable = self.directory / "bare_loop"
        compile_program("bare_loop.c", executable)
        # The main lcore waits for questions; each of the others forwards from a source of its own.
        lcores = [f"0@{CONTROL_CORE}", *(f"{number}@{core}" for number, core in enumerate(self.setup.cores, start=1))]
        command = [executable, "--lcores", ",".join(lcores), "--main-lcore", "0", "-m", "1024"]
        command += ["--in-memory", "--no-pci", "--no-telemetry", "--file-prefix", f"bare{os.getpid()}"]
        command += ["--log-level", "warning"]
        for device in (*self.setup.sources, self.setup.sink):
            command += ["--vdev", device]
        self.process = Process(command, self.directory / "log", ALL_CORES, pipes=True)
        self.counts()

    def counts(self):
        before = time.monotonic()
        line = self.process.ask("")
        return Counts((before + time.monotonic()) / 2, *map(int, line.split()))
