"""Whether a barrier reply is true: packets that go by the old rules after it."""

import time

from . import messages, report
from .contestants import compare, complete
from .feeds import Pcap
from .openflow import Connection
from .packets import Flow
from .processes import Invalid
from .ringway import Ringway
from .rules import Workload, exact_match
from .runs import Target
from .switches import Setup

FLOWS = 1000
# In each, each flow has its rule added, overridden, modified and deleted: a trial each.
CYCLES = 25
TRIALS = 4 * FLOWS * CYCLES
# Between two looks at the counters, in seconds. Some thousand packets come in meanwhile.
PAUSE = 0.002
OLD, NEW = 2, 3


class TrueBarriers:
    """Changes rules that packets hit all the time, from one port to another and back; counts what still leaves by the former
    port after the barrier's reply."""

    name = "B10"
    title = f"packets by old rules after a barrier's reply, {TRIALS:,} changes"
    target = Target(0, 0, "packets", more_is_better=False)

    def measure(self, run):
        flows = [Flow(0x0A000000 + i, 0x0B000000 + i, 1024 + i, 53) for i in range(FLOWS)]
        rules = [exact_match(flow) for flow in flows]
        workload = Workload(flows, texts=[f"priority=1,in_port=1,actions=output:{OLD}"])
        feed = Pcap(run, self.name, workload, 1)
        file = run.directory / f"{self.name}.rules"
        file.write_text("\n".join(workload.lines) + "\n", encoding="ascii")
        setup = Setup((*feed.sources, "net_null3,no-rx=1"), feed.sink, file)
        try:
            samples = compare(
                run, self.name, lambda switch: self.take(switch, rules), setup, names=("ringway", "ovs", "ovs-tuned")
            )
        finally:
            feed.close()
        valid = complete(samples)
        explanation = (
            f"{FLOWS:,} flows; in {CYCLES} cycles all of them at once have an exact rule added below which another one "
            f"matches, one of higher priority, that one modified and deleted. After each barrier's reply the packets "
            f"sent by the former port are counted twice, {PAUSE * 1e3:g} ms apart. Rounds: {run.rounds}."
        )
        lines = [(name, ", ".join(f"{wrong:,}" for wrong in taken)) for name, taken in valid.items()]
        text = report.table(("switch", "packets by the old rules, each round"), lines) if valid else "No valid round.\n"
        if Ringway.name in valid:
            text += run.judge(self.name, self.title, max(valid[Ringway.name]), self.target)
        return report.section(f"{self.name}: {self.title}", explanation, text)

    @staticmethod
    def take(switch, rules):
        higher = [rule._replace(priority=200) for rule in rules]

        def all_of(these, command=messages.ADD, port=OLD):
            return b"".join(messages.flow_mod(rule, command, port) for rule in these)

        # What is sent, and the port by which nothing may leave then.
        steps = (
            (all_of(rules, port=NEW), OLD),
            (all_of(higher, port=OLD), NEW),
            (all_of(higher, messages.MODIFY_STRICT, NEW), OLD),
            (all_of(rules, messages.MODIFY_STRICT, OLD) + all_of(higher, messages.DELETE_STRICT), NEW),
        )
        time.sleep(2)
        wrong = 0
        with Connection(switch.PORT) as connection:

            def change(data):
                connection.send(data + messages.barrier())
                connection.wait_for(messages.BARRIER_REPLY, switch.name)

            def sent():
                connection.send(messages.port_statistics())
                return messages.transmitted(connection.wait_for(messages.MULTIPART_REPLY, switch.name))

            for _ in range(CYCLES):
                for data, former in steps:
                    change(data)
                    before = sent()
                    time.sleep(PAUSE)
                    after = sent()
                    wrong += after[former] - before[former]
                    if after[OLD] + after[NEW] - before[OLD] - before[NEW] < FLOWS:
                        raise Invalid(f"{switch.name}: hardly any packets come in: nothing is proved")
                change(all_of(rules, messages.DELETE_STRICT))
        return wrong
