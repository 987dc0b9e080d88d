"""Debian's Open vSwitch on DPDK, with a database, sockets and logs of its own."""

import os
from itertools import cycle
from pathlib import Path

from .machine import CONTROL_CORE, OVS_DAEMON
from .openflow import OpenFlowSwitch
from .processes import Process, run
from .switches import ALL_CORES, start_virtio_loop, virtio_devices

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


class OpenVSwitch(OpenFlowSwitch):
    """Debian's Open vSwitch on DPDK, by its defaults (`tuned`: signature cache on, exact-match cache off; a function
    has packed virtqueues)."""

    name = "Open vSwitch"
    # One for the polling thread, one for the rest.
    transmit_queues = 2
    TUNING = ("other_config:smc-enable=true", "other_config:emc-insert-inv-prob=0")

    def __init__(self, directory, setup, tuned=False):
        super().__init__(directory, setup)
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
        return run(*command, cores={CONTROL_CORE}, environment=self.environment)

    def start(self):
        self.start_database()
        self.vsctl("--no-wait", "init")
        options = {
            "dpdk-init": "true",
            "dpdk-socket-mem": "1024",
            "dpdk-lcore-mask": hex(1 << CONTROL_CORE),
            "pmd-cpu-mask": hex(sum(1 << core for core in self.setup.cores)),
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
        sinks = [port for port in self.setup.ports if port[0] == 2]
        sources = [port for port in self.setup.ports if port[0] != 2]
        for port in sinks:
            self.add_device(*port)
        for number in self.setup.function_ports:
            options = ("type=dpdkvhostuserclient", f"options:vhost-server-path={self.function_socket(number)}")
            self.add_port(number, f"function{number}", *options)
        # Traffic comes after the rules.
        self.load()
        for port, core in zip(sources, cycle(self.setup.cores)):
            self.add_device(*port, *((f"other_config:pmd-rxq-affinity=0:{core}",) if len(sources) > 1 else ()))

    def start_database(self):
        file = self.directory / "conf.db"
        run("ovsdb-tool", "create", file, SCHEMA)
        command = ["ovsdb-server", file, f"--remote=p{self.socket}", f"--pidfile={self.directory}/ovsdb.pid"]
        command += [f"--unixctl={self.directory}/ovsdb.ctl"]
        log = self.directory / "ovsdb.log"
        self.database = Process(command, log, {CONTROL_CORE}, environment=self.environment)
        self.database.wait_for((self.directory / "db.sock").is_socket, "database socket")

    def add_device(self, number, name, device, *more):
        self.add_port(number, name, "type=dpdk", f"options:dpdk-devargs={device}", *more)

    def add_port(self, number, name, *options):
        request = f"ofport_request={number}"
        self.vsctl("add-port", "br0", name, "--", "set", "Interface", name, request, *options)

    def function_socket(self, number):
        return self.directory / f"function{number}.sock"

    def start_function(self):
        return start_virtio_loop(self.directory, self.function_devices())

    def function_devices(self):
        return virtio_devices(map(self.function_socket, self.setup.function_ports), packed=self.tuned)

    def has_function(self):
        names = [f"function{number}" for number in self.setup.function_ports]
        return all(self.vsctl("get", "Interface", name, "link_state").strip() == "up" for name in names)

    def stop(self):
        super().stop()
        if self.database:
            self.database.stop()
            self.database = None
