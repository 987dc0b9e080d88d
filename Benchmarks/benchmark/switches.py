"""What is compared: the bare DPDK loop, Ringway, and Open vSwitch on DPDK, each with port 1 (`in`) receiving a pcap for
ever and port 2 (`out`) a sink, forwarding on one and the same core.

Each is a context: started when it is entered, with its own files in a directory of its own, and ended when it is left.
No Open vSwitch that the system itself may run is touched: database, sockets and logs are in that directory.
"""

import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from .machine import CONTROL_CORE, OVS_DAEMON, WORKER_CORE
from .processes import Invalid, Process, run

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
ALL_CORES = {CONTROL_CORE, WORKER_CORE}

# Without no-rx=1 the sink hands out an empty frame on every poll, and the switch under test classifies junk.
SINK = "net_null1,no-rx=1"
# A port without traffic, for the rows that have none.
SILENT = "net_null0,no-rx=1"


def source(pcap):
    return f"net_pcap0,rx_pcap={pcap},infinite_rx=1" if pcap else SILENT


class Counts(NamedTuple):
    """The ports' own counters at a moment (seconds of the monotonic clock)."""

    time: float
    received: int
    sent: int
    sink_received: int


class Switch:
    """What the rows need of each."""

    name: str
    core = WORKER_CORE

    def __init__(self, directory: Path):
        self.directory = directory
        self.process = None

    def __enter__(self):
        self.directory.mkdir(parents=True)
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

    def counts(self) -> Counts:
        raise NotImplementedError

    def stop(self):
        """Ends it. A switch that has to be killed is worth a remark, but its figures stand."""
        if self.process and not self.process.stop():
            print(f"bench: {self.name} did not end when asked to, and was killed", flush=True)
        self.process = None


class BareLoop(Switch):
    """bare_loop.c: what the core, the source and the sink allow at all."""

    name = "bare loop"

    def __init__(self, directory, pcap):
        super().__init__(directory)
        self.pcap = pcap

    @staticmethod
    def build(executable):
        """Compiled as the data plane of Ringway is: optimised, for x86-64-v3."""
        flags = run("pkg-config", "--cflags", "libdpdk").split()
        libraries = ["-lrte_eal", "-lrte_ethdev", "-lrte_mbuf", "-lrte_mempool"]
        loop = REPOSITORY / "Benchmarks" / "bare_loop.c"
        run("gcc", "-O3", "-Wall", *flags, "-march=x86-64-v3", loop, "-o", executable, *libraries, timeout=120)

    def start(self):
        executable = self.directory / "bare_loop"
        self.build(executable)
        command = [executable, "--lcores", f"0@{CONTROL_CORE},1@{WORKER_CORE}", "--main-lcore", "0", "-m", "1024"]
        command += ["--in-memory", "--no-pci", "--no-telemetry", "--file-prefix", f"bare{os.getpid()}"]
        command += ["--log-level", "warning", "--vdev", source(self.pcap), "--vdev", SINK]
        self.process = Process(command, self.directory / "log", ALL_CORES, pipes=True)
        self.counts()

    def counts(self):
        before = time.monotonic()
        try:
            self.process.popen.stdin.write("\n")
            line = self.process.popen.stdout.readline()
        except OSError:
            line = ""
        if not line:
            self.process.popen.wait(5)
            self.process.require_alive()
        return Counts((before + time.monotonic()) / 2, *map(int, line.split()))


def answer(stream):
    """The next OpenFlow message: (type, what follows the header)"""
    header = stream.read(8)
    if len(header) < 8:
        raise Invalid("the switch closed the connection")
    _, kind, length, _ = struct.unpack("!BBHI", header)
    return kind, stream.read(length - 8)


class OpenFlowSwitch(Switch):
    """What ovs-ofctl can do with both switches alike; it runs on the control core, away from the polling one."""

    # Of the machine itself, for OpenFlow over TCP.
    PORT = 6657

    def __init__(self, directory, pcap, rules):
        super().__init__(directory)
        self.pcap = pcap
        self.rules = rules

    @property
    def management(self):
        raise NotImplementedError

    def ofctl(self, command, *arguments, timeout=60):
        words = ["ovs-ofctl", "--no-names", "-O", "OpenFlow13", command, f"unix:{self.management}", *arguments]
        return run(*words, cores={CONTROL_CORE}, timeout=timeout)

    def push(self, rules):
        """Adds a file of rules, a barrier after each; returns the seconds that it took."""
        before = time.monotonic()
        self.ofctl("add-flows", rules, timeout=300)
        return time.monotonic() - before

    def dump(self):
        """Dumps all rules; returns the seconds that it took."""
        before = time.monotonic()
        self.ofctl("dump-flows", timeout=300)
        return time.monotonic() - before

    def send(self, messages):
        """Sends OpenFlow messages that end with a barrier over TCP; returns the seconds until its reply."""
        with socket.create_connection(("127.0.0.1", self.PORT), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = connection.makefile("rb")
            connection.sendall(struct.pack("!BBHI", 4, 0, 8, 0))
            answer(stream)
            before = time.monotonic()
            connection.sendall(messages)
            while (reply := answer(stream))[0] != 21:
                # Probes are not answered: all is over before they matter.
                if reply[0] == 1:
                    raise Invalid(f"{self.name}: refused a message: {reply[1].hex()}")
            return time.monotonic() - before

    def counts(self):
        before = time.monotonic()
        text = self.ofctl("dump-ports")
        moment = (before + time.monotonic()) / 2
        ports = {
            match[1]: (int(match[2]), int(match[3]))
            for match in re.finditer(r"port +(\w+): rx pkts=(\d+).*?tx pkts=(\d+)", text, re.DOTALL)
        }
        if not {"1", "2"} <= ports.keys():
            raise Invalid(f"{self.name}: dump-ports shows no packet counts of ports 1 and 2:\n{text}")
        return Counts(moment, ports["1"][0], ports["2"][1], ports["2"][0])

    def aggregate(self):
        """(packets counted by all rules, number of rules)"""
        text = self.ofctl("dump-aggregate")
        numbers = re.search(r"packet_count=(\d+).*flow_count=(\d+)", text)
        if not numbers:
            raise Invalid(f"{self.name}: dump-aggregate says {text}")
        return int(numbers[1]), int(numbers[2])

    def packets_by_rule(self):
        """rule as ovs-ofctl prints it -> packets counted by it"""
        text = self.ofctl("dump-flows", timeout=120)
        return {match[2]: int(match[1]) for match in re.finditer(r"n_packets=(\d+), n_bytes=\d+, (.*)", text)}


class Ringway(OpenFlowSwitch):
    name = "Ringway"

    def __init__(self, directory, pcap, rules, idle="busy", namespace=None):
        """`namespace`: a network namespace to run in, with `namespace.interfaces` as ports instead of source and sink."""
        super().__init__(directory, pcap, rules)
        self.idle = idle
        self.namespace = namespace
        if idle != "busy":
            self.name = f"Ringway, idle: {idle}"

    @staticmethod
    def executable():
        return Path(os.environ.get("RINGWAY_BINARY") or REPOSITORY / ".build" / "release" / "ringway").absolute()

    @property
    def management(self):
        return self.directory / "bench.mgmt"

    def configuration(self):
        devices = (source(self.pcap), SINK)
        if self.namespace:
            devices = [f"net_af_packet{i},iface={name}" for i, name in enumerate(self.namespace.interfaces)]
        return f"""\
datapath: {{id: 1, name: bench}}
openflow: {{listen: ["ptcp:{self.PORT}:127.0.0.1"], flow_limit: 200000}}
workers: {{cores: [{WORKER_CORE}], idle: {self.idle}}}
memory: {{huge_pages: required, size: 1GiB}}
ports:
  - {{number: 1, name: in, device: "{devices[0]}"}}
  - {{number: 2, name: out, device: "{devices[1]}"}}
run_directory: {self.directory}
"""

    def start(self):
        file = self.directory / "ringway.yaml"
        file.write_text(self.configuration())
        command = [self.executable(), "run", "--config", file]
        if self.namespace:
            command = ["ip", "netns", "exec", self.namespace.name, *command]
        self.process = Process(command, self.directory / "log", ALL_CORES)
        self.process.wait_for(self.management.is_socket, "management socket")
        if self.rules:
            self.push(self.rules)


class QuietNamespace:
    """A network namespace with two interfaces, joined to each other, on which nobody sends."""

    interfaces = ("quiet0", "quiet1")

    def __init__(self):
        self.name = f"ringway-bench-{os.getpid()}"

    def __enter__(self):
        self.ip("netns", "add", self.name)
        try:
            inside = ("netns", "exec", self.name)
            self.ip(*inside, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            one, other = self.interfaces
            self.ip("-n", self.name, "link", "add", one, "type", "veth", "peer", "name", other)
            for interface in self.interfaces:
                self.ip("-n", self.name, "link", "set", interface, "up")
        except Invalid:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    @staticmethod
    def ip(*arguments):
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Invalid(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class OpenVSwitch(OpenFlowSwitch):
    """Debian's Open vSwitch on DPDK, by its defaults (`tuned`: signature cache on, exact-match cache off)."""

    name = "Open vSwitch"
    TUNING = ("other_config:smc-enable=true", "other_config:emc-insert-inv-prob=0")

    def __init__(self, directory, pcap, rules, tuned=False):
        super().__init__(directory, pcap, rules)
        self.tuned = tuned
        if tuned:
            self.name = f"{self.name}, tuned"
        self.database = None
        paths = {"OVS_RUNDIR": directory, "OVS_DBDIR": directory, "OVS_LOGDIR": directory, "OVS_SYSCONFDIR": directory}
        self.environment = {**os.environ, **{name: str(path) for name, path in paths.items()}}

    @property
    def management(self):
        return self.directory / "br0.mgmt"

    @property
    def socket(self):
        return f"unix:{self.directory}/db.sock"

    def vsctl(self, *arguments):
        command = ("ovs-vsctl", f"--db={self.socket}", "--timeout=30", *arguments)
        run(*command, cores={CONTROL_CORE}, environment=self.environment)

    def start(self):
        self.start_database()
        self.vsctl("--no-wait", "init")
        options = {
            "dpdk-init": "true",
            "dpdk-socket-mem": "1024",
            "dpdk-lcore-mask": hex(1 << CONTROL_CORE),
            "pmd-cpu-mask": hex(1 << WORKER_CORE),
            "flow-limit": "1000000",
            "dpdk-extra": f"--no-pci --no-telemetry --in-memory --file-prefix=ovs{os.getpid()}",
        }
        settings = [f'other_config:{key}="{value}"' for key, value in options.items()]
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *settings, *(self.TUNING if self.tuned else ()))
        command = [OVS_DAEMON, self.socket, f"--pidfile={self.directory}/vswitchd.pid"]
        command += [f"--unixctl={self.directory}/vswitchd.ctl"]
        self.process = Process(command, self.directory / "log", ALL_CORES, environment=self.environment)
        bridge = ("set", "bridge", "br0", "datapath_type=netdev", "protocols=OpenFlow13", "fail_mode=secure")
        self.vsctl("add-br", "br0", "--", *bridge)
        self.vsctl("set-controller", "br0", f"ptcp:{self.PORT}:127.0.0.1")
        self.add_port("out", 2, SINK)
        if self.rules:
            self.push(self.rules)
        self.add_port("in", 1, source(self.pcap))

    def start_database(self):
        file = self.directory / "conf.db"
        run("ovsdb-tool", "create", file, SCHEMA)
        command = ["ovsdb-server", file, f"--remote=p{self.socket}", f"--pidfile={self.directory}/ovsdb.pid"]
        command += [f"--unixctl={self.directory}/ovsdb.ctl"]
        log = self.directory / "ovsdb.log"
        self.database = Process(command, log, {CONTROL_CORE}, environment=self.environment)
        self.database.wait_for((self.directory / "db.sock").is_socket, "database socket")

    def add_port(self, name, number, device):
        options = ("type=dpdk", f"options:dpdk-devargs={device}", f"ofport_request={number}")
        self.vsctl("add-port", "br0", name, "--", "set", "Interface", name, *options)

    def stop(self):
        super().stop()
        if self.database:
            self.database.stop()
            self.database = None
