"""The usual source of packets: a pcap."""

from contextlib import contextmanager

from . import packets
from .switches import SINK


class Pcap:
    """A pcap device, which receives the same packets for ever: as fast as a switch takes them, without another process."""

    sink = SINK
    sockets = ()
    process = None
    order = ""  # what the report says of it

    def __init__(self, run, name, workload, seed, size=64):
        self.file = run.directory / f"{name}.pcap"
        packets.write_pcap(self.file, workload.flows, seed, size)
        self.sources = (f"net_pcap0,rx_pcap={self.file},infinite_rx=1",)
        self.size = len(packets.frame(workload.flows[0], size)) + packets.CHECK_SEQUENCE

    @contextmanager
    def into(self, _):
        """Nothing has to be started: the switch has the device."""
        yield None

    def close(self):
        self.file.unlink()
