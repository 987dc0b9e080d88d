"""Packets from a process of our own, for what a pcap has no room for: more flows, new flows, a rate, latencies."""

import os
import random
from contextlib import contextmanager
from pathlib import Path

from . import packets
from .machine import CONTROL_CORE
from .processes import Process
from .rules import unpack
from .switches import SINK, compile_program

TEMPLATE = 64


def template(flow, home):
    """The first 64 bytes of a flow's frames, and a mask of the bits there that its rule says nothing of."""
    head = packets.frame(flow)[:TEMPLATE].ljust(TEMPLATE, b"\0")
    free = bytearray(TEMPLATE)
    if home is not None:
        open_bits = unpack(home.free, home.version)
        network, size, addresses = (18 if flow.vlan is not None else 14), 4, 12
        ports = network + 20
        if flow.version == 6:
            size, addresses, ports = 16, 8, network + 40
        start = network + addresses
        free[start : start + size] = open_bits.source.to_bytes(size, "big")
        free[start + size : start + 2 * size] = open_bits.destination.to_bytes(size, "big")
        if flow.protocol in (packets.TCP, packets.UDP) and ports + 4 <= TEMPLATE:
            free[ports : ports + 2] = open_bits.source_port.to_bytes(2, "big")
            free[ports + 2 : ports + 4] = open_bits.destination_port.to_bytes(2, "big")
    return head + bytes(free)


def write_templates(path: Path, workload, seed):
    """As generator.c reads them: one for each flow, in an order as good as random."""
    pairs = list(zip(workload.flows, workload.homes or [None] * len(workload.flows)))
    random.Random(seed).shuffle(pairs)
    with open(path, "wb") as file:
        for flow, home in pairs:
            file.write(template(flow, home))


class Generator:
    """generator.c, sending to a switch over shared memory (memif) from the control core.

    `returned`: what the switch sends comes back, and its latency is measured; otherwise the switch has the usual sink.
    """

    # Rings of 2^11 and 2^13 packets: what comes back is looked at less often.
    RING, RETURN_RING = 11, 13

    def __init__(self, run, name, workload, seed, order="round-robin", size=64, returned=False):
        self.run = run
        self.sequence = run.order or order
        self.size = run.size or size
        self.order = f", {self.sequence}, by the generator"
        self.returned = returned
        self.socket = run.directory / "memif"
        self.sockets = (self.socket,)
        self.templates = run.directory / f"{name}.templates"
        write_templates(self.templates, workload, seed)
        self.program = run.directory / "generator"
        compile_program("generator.c", self.program, "m")
        self.sources = (self.device(0, "server"),)
        self.sink = self.device(1, "server") if returned else SINK
        self.process = None

    def device(self, number, role):
        device = f"net_memif{number},role={role},id={number},socket={self.socket},socket-abstract=no"
        if role == "server":
            return device
        return f"{device},rsize={self.RETURN_RING if number else self.RING}"

    @contextmanager
    def into(self, switch):
        """Sends to the switch, which must have been started; yields itself."""
        command = [self.program, "--lcores", f"0@{CONTROL_CORE},1@{CONTROL_CORE}", "--main-lcore", "0", "-m", "512"]
        command += ["--in-memory", "--no-pci", "--no-telemetry", "--file-prefix", f"generator{os.getpid()}"]
        command += ["--log-level", "error", "--vdev", self.device(0, "client")]
        if self.returned:
            command += ["--vdev", self.device(1, "client")]
        command += [*switch.function_devices(), "--", self.templates, self.sequence, self.size]
        command += [switch.transmit_queues if self.returned else 0, *switch.function_files()]
        self.process = Process(command, switch.directory / "generator.log", {CONTROL_CORE}, pipes=True)
        try:
            # It answers when it sends.
            self.process.ask("counts")
            self.process.wait_for(switch.has_function, "attachment to the switch")
            yield self
        finally:
            self.process.stop()
            self.process = None

    def close(self):
        self.templates.unlink()
        self.program.unlink()
        self.socket.unlink(missing_ok=True)

    def pace(self, rate):
        """Packets a second from now on; 0: as many as the switch takes."""
        self.process.ask(f"rate {rate:.0f}")

    def never_repeat(self):
        """From now on each packet is of a flow that was not there before."""
        self.process.ask("order new")

    def reset(self):
        self.process.ask("reset")

    def latency(self):
        """(packets, then in µs: p50, p99, p99.9, maximum; packets not counted) since the last reset"""
        total, *nanoseconds, uncounted = map(int, self.process.ask("latency").split())
        return total, *(value / 1000 for value in nanoseconds), uncounted
