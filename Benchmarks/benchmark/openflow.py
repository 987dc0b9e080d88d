"""What can be asked of both OpenFlow switches alike: by ovs-ofctl on the control core, or by messages over TCP."""

import re
import socket
import struct
import time
from collections import Counter
from itertools import chain

from . import messages
from .machine import CONTROL_CORE
from .processes import Invalid, run
from .switches import Counts, Switch


class Connection:
    """OpenFlow over TCP to a switch on this machine; its answers are read only when one of them is waited for."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.send(messages.message(messages.HELLO, b""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """The next OpenFlow message: (type, what follows the header)"""
        header = self.stream.read(8)
        if len(header) < 8:
            raise Invalid("the switch closed the connection")
        _, kind, length, _ = struct.unpack("!BBHI", header)
        return kind, self.stream.read(length - 8)

    def wait_for(self, kind, name):
        """What follows the header of the next answer of a kind. Probes are not answered: all is over before they matter."""
        while (reply := self.answer())[0] != kind:
            if reply[0] == messages.ERROR:
                raise Invalid(f"{name}: refused a message: {reply[1].hex()}")
        return reply[1]


class OpenFlowSwitch(Switch):
    """What ovs-ofctl can do with both switches alike; it runs on the control core, away from the polling one."""

    # Of the machine itself, for OpenFlow over TCP.
    PORT = 6657

    @property
    def management(self):
        raise NotImplementedError

    def ofctl(self, command, *arguments, timeout=60):
        words = ["ovs-ofctl", "--no-names", "-O", "OpenFlow13", command, f"unix:{self.management}", *arguments]
        return run(*words, cores={CONTROL_CORE}, timeout=timeout)

    def load(self):
        """Adds the rules that it was set up with."""
        if self.setup.rules:
            self.push(self.setup.rules)
        if self.setup.messages:
            self.send(self.setup.messages)

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

    def send(self, data):
        """Sends OpenFlow messages that end with a barrier over TCP; returns the seconds until its reply."""
        with Connection(self.PORT) as connection:
            connection.wait_for(messages.HELLO, self.name)
            before = time.monotonic()
            connection.send(data)
            connection.wait_for(messages.BARRIER_REPLY, self.name)
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
        functions = [ports.pop(str(number), (0, 0))[::-1] for number in self.setup.function_ports]
        received = sum(counts[0] for number, counts in ports.items() if number != "2")
        return Counts(moment, received, ports["2"][1], ports["2"][0], tuple(chain(*functions)))

    def aggregate(self, table=None):
        """(packets counted by all rules, number of rules), of all tables or of one"""
        text = self.ofctl("dump-aggregate", *(() if table is None else (f"table={table}",)))
        numbers = re.search(r"packet_count=(\d+).*flow_count=(\d+)", text)
        if not numbers:
            raise Invalid(f"{self.name}: dump-aggregate says {text}")
        return int(numbers[1]), int(numbers[2])

    def packets_by(self, group):
        """Packets counted by each rule (keys: as ovs-ofctl prints it), by all of a priority, or of a table (numbers)."""
        text, packets = self.ofctl("dump-flows", timeout=120), Counter()
        for found in re.finditer(r"table=(\d+), n_packets=(\d+), n_bytes=\d+, (.*)", text):
            priority = re.match(r"(?:.*,)?priority=(\d+)", found[3])
            key = {"rule": found[3], "priority": int(priority[1]) if priority else 32768, "table": int(found[1])}[group]
            packets[key] += int(found[2])
        return packets
