"""Flow-mods at a steady rate, from a thread beside a measurement."""

import threading
import time
from contextlib import contextmanager

from . import messages
from .openflow import Connection, OpenFlowSwitch
from .rules import idle_rules

RATE = 10_000  # flow-mods a second
TICK = 0.01  # seconds
# Rules that come and go; as many are there at any time.
RULES = 5000


class Churn(threading.Thread):
    """Adds rules and deletes those that it added RULES before, in turn, until it is told to stop."""

    def __init__(self, port):
        super().__init__(daemon=True)
        rules = idle_rules(2 * RULES)
        # The first RULES are added; then each message pair adds one and deletes another, round and round.
        self.first = [messages.flow_mod(rule) for rule in rules[:RULES]]
        self.pairs = [
            messages.flow_mod(rules[(i + RULES) % len(rules)]) + messages.flow_mod(rules[i], messages.DELETE_STRICT)
            for i in range(len(rules))
        ]
        self.connection = Connection(port)
        self.connection.send(b"".join(self.first))
        self.sent = 0
        self.seconds = 0.0
        self.stopping = threading.Event()

    def run(self):
        begin = time.monotonic()
        while not self.stopping.wait(TICK):
            due = int((time.monotonic() - begin) * RATE) - self.sent
            # Two messages a pair.
            batch = [self.pairs[(self.sent // 2 + i) % len(self.pairs)] for i in range(due // 2)]
            self.connection.send(b"".join(batch))
            self.sent += 2 * len(batch)
        self.seconds = time.monotonic() - begin

    def finish(self, name):
        """Ends it, and sees that the switch has done all of it: a barrier, and no error before its reply. Returns how many
        flow-mods a second that were."""
        self.stopping.set()
        self.join()
        with self.connection:
            before = time.monotonic()
            self.connection.send(messages.barrier())
            self.connection.wait_for(messages.BARRIER_REPLY, name)
            behind = time.monotonic() - before
        return self.sent / (self.seconds + behind)


@contextmanager
def churn(run, row, switch, _):
    """While it lasts, the rules of the switch change; the bare loop has none."""
    if not isinstance(switch, OpenFlowSwitch):
        yield
        return
    changes = Churn(switch.PORT)
    changes.start()
    try:
        time.sleep(1)
        yield
    finally:
        rate = changes.finish(switch.name)
        if rate < 0.95 * RATE:
            run.remark(row, switch.name, f"took {rate:,.0f} flow-mods a second of {RATE:,}")
