"""Who takes part in a row, and how they take turns."""

import shutil
from typing import Callable

from .machine import HugePages
from .openvswitch import OpenVSwitch
from .processes import Invalid
from .ringway import Ringway
from .runs import HUGE_MEGABYTES, Run
from .switches import BareLoop, Setup, Switch

CONTESTANTS: dict[str, Callable[..., Switch]] = {
    "bare": BareLoop,
    "ringway": Ringway,
    "ovs": OpenVSwitch,
    "ovs-tuned": lambda directory, setup: OpenVSwitch(directory, setup, tuned=True),
}


def compare(run: Run, row, take: Callable, *setups: Setup, names=tuple(CONTESTANTS)):
    """Starts each of them anew in each round; returns what `take` makes of them, by name: a value for each round, None
    for an invalid one, as rounds are compared with each other. Of several setups it is a list, one after the other."""
    samples = {}
    with HugePages(HUGE_MEGABYTES):
        for number in range(1, run.rounds + 1):
            for name in names:
                if run.contestants and name not in run.contestants:
                    continue
                values = []
                for setup in setups:
                    switch = CONTESTANTS[name](run.place(name), setup)
                    try:
                        with switch:
                            values.append(take(switch))
                            run.say(f"{row}, round {number}: {switch.name}: {values[-1]}")
                    except Invalid as reason:
                        run.refuse(f"{row}, round {number}", switch.name, reason)
                        values.append(None)
                    shutil.rmtree(switch.directory, ignore_errors=True)
                value = values[0] if len(setups) == 1 else values
                samples.setdefault(switch.name, []).append(None if None in values else value)
    return samples


def complete(samples):
    """The samples of the rounds in which all are valid, by name."""
    rounds = [number for number, all_of in enumerate(zip(*samples.values())) if None not in all_of]
    return {name: [taken[number] for number in rounds] for name, taken in samples.items()} if rounds else {}


def best_rival(figures, best=max):
    """The name of that Open vSwitch that has the best median figure; None if none has one."""
    rivals = [name for name in figures if name.startswith(OpenVSwitch.name)]
    return best(rivals, key=lambda name: sorted(figures[name])[len(figures[name]) // 2], default=None)
