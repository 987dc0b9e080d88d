"""Ringway, as it is built in this repository."""

import json
import os
import subprocess
from pathlib import Path

from .machine import CONTROL_CORE
from .openflow import OpenFlowSwitch
from .processes import Invalid, Process, run
from .switches import ALL_CORES, FUNCTION, REPOSITORY, compile_program, start_virtio_loop, virtio_devices


class Ringway(OpenFlowSwitch):
    name = "Ringway"
    MEMORY = 1 << 30
    def __init__(self, directory, setup, idle="busy", namespace=None, huge_pages="required"):
        """`namespace`: a network namespace to run in, with `namespace.interfaces` as ports instead of source and sink."""
        super().__init__(directory, setup)
        self.idle = idle
        self.namespace = namespace
        self.huge_pages = huge_pages
        if idle != "busy":
            self.name = f"Ringway, idle: {idle}"

    @staticmethod
    def executable():
        return Path(os.environ.get("RINGWAY_BINARY") or REPOSITORY / ".build" / "release" / "ringway").absolute()

    @property
    def management(self):
        return self.directory / "bench.mgmt"

    def configuration(self):
        ports = self.setup.ports
        if self.namespace:
            names = enumerate(self.namespace.interfaces, start=1)
            ports = [(number, name, f"net_af_packet{number},iface={name}") for number, name in names]
        if self.setup.attachment == "vhost":
            ports += [
                (number, self.vm(number), f"net_vhost{number},iface={self.function_socket(number)},client=1")
                for number in self.setup.function_ports
            ]
        group = ", group: bench" if self.setup.functions and self.setup.attachment == "shared" else ""
        lines = [
            f'  - {{number: {number}, name: {name}, device: "{device}", queues: 1{group}}}'
            for number, name, device in ports
        ]
        if self.setup.functions and self.setup.attachment != "vhost":
            lines += ["vms:"]
            lines += [
                f"  - {{number: {number}, name: {self.vm(number)}, group: bench}}" for number in self.setup.function_ports
            ]
        cores = list(self.setup.cores)
        sources = [name for number, name, _ in self.setup.ports if number != 2]
        queues = ", ".join(f"{name}: {{0: {core}}}" for name, core in zip(sources, cores))
        return f"""\
datapath: {{id: 1, name: bench}}
openflow: {{listen: ["ptcp:{self.PORT}:127.0.0.1"], flow_limit: {self.setup.flow_limit}}}
workers: {{cores: {cores}, idle: {self.idle}{f", queues: {{{queues}}}" if len(cores) > 1 else ""}}}
memory: {{huge_pages: {self.huge_pages}, size: {self.MEMORY >> 20}MiB}}
ports:
{chr(10).join(lines)}
run_directory: {self.directory}
"""

    @property
    def file(self):
        return self.directory / "ringway.yaml"

    def start(self):
        self.file.write_text(self.configuration())
        command = [self.executable(), "run", "--config", self.file]
        if self.namespace:
            command = ["ip", "netns", "exec", self.namespace.name, *command]
        self.process = Process(command, self.directory / "log", ALL_CORES)
        self.process.wait_for(self.management.is_socket, "management socket")
        self.load()

    @staticmethod
    def vm(number):
        return f"fw{number}"

    def function_socket(self, number):
        return self.directory / f"function{number}.sock"

    def function_devices(self):
        if self.setup.attachment != "vhost":
            return ()
        return virtio_devices(map(self.function_socket, self.setup.function_ports))

    def function_files(self):
        regions = self.directory / "bench.vms" / "bench"
        rings = [regions / f"{self.vm(number)}.rings" for number in self.setup.function_ports]
        return () if self.setup.attachment == "vhost" else (regions / "packets", *rings)

    def start_function(self):
        """Of Ringway's examples the one that says of each packet that it is to go on; of a chain ring_loop.c, all of it in one process."""
        if self.setup.attachment == "vhost":
            return start_virtio_loop(self.directory, self.function_devices())
        if self.setup.functions == 1:
            command = [self.executable(), "nf", "run", "simple-forward", "--config", self.file]
            command += ["--vm", self.vm(FUNCTION), "--core", CONTROL_CORE]
        else:
            program = self.directory / "ring_loop"
            compile_program("ring_loop.c", program)
            command = [program, *self.function_files()]
        return Process(command, self.directory / "function.log", {CONTROL_CORE})

    def has_function(self):
        what = "ports" if self.setup.attachment == "vhost" else "vms"
        command = (self.executable(), "show", what, "--socket", self.directory / "bench.ctl", "--json")
        shown = json.loads(run(*command, cores={CONTROL_CORE}))["result"]
        if what == "ports":
            return all(port["link_up"] for port in shown if port["number"] in self.setup.function_ports)
        return all(vm["state"] == "attached" for vm in shown)

    def stop(self):
        super().stop()
        region = self.directory / "bench.vms" / "bench"
        if region.is_mount():
            # It has crashed, or was killed; the packets' memory has to be given back all the same.
            subprocess.run(["umount", "--lazy", region], check=False)


class QuietNamespace:
    """A network namespace with two interfaces, joined to each other, on which nobody sends."""

    interfaces = ("quiet0", "quiet1")

    def __init__(self):
        self.name = f"ringway-bench-{os.getpid()}"

    def __enter__(self):
        self.ip("netns", "add", self.name)
        try:
            inside = ("netns", "exec", self.name)
            self.ip(
                *inside, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"
            )
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
