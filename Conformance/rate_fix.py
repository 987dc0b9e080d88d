#!/usr/bin/env python3
"""Makes a copy of os-ken's tester that sends as many packets a second as its tests say: rate_fix.py TESTER.py COPY.py

As published it sends what is due in 10 ms, sleeps for 10 ms, and so on. What sending and waking up take comes on top, so it
sends 93 % of what it is told even on a quiet machine, and a meter's remark band, which gets what is above its rate, is then
11 % short of what the test expects. The copy sends what is due by the clock.
"""
import sys

OLD = "        arg['packet_counter'] += arg['packet_counter_inc']\n"
NEW = """        now = time.monotonic()
        elapsed = now - arg.setdefault('sent_until', now - CONTINUOUS_THREAD_INTVL)
        arg['sent_until'] = now
        arg['packet_counter'] += arg['packet_counter_inc'] * elapsed / CONTINUOUS_THREAD_INTVL
"""

with open(sys.argv[1]) as file:
    source = file.read()
if source.count(OLD) != 1 or '\nimport time\n' not in source:
    sys.exit('rate_fix.py: this is not the tester that it knows')
with open(sys.argv[2], 'w') as file:
    file.write(source.replace(OLD, NEW))
