#!/usr/bin/env python3
"""Counts what os-ken's tester reports: summary.py LOG...

Prints a line for each log and each check that failed, with the tester's reason. Status 0 if there were checks and all of
them passed.
"""
import os
import re
import sys

everything = [0, 0]
for path in sys.argv[1:]:
    with open(path, errors='replace') as file:
        lines = file.read().split('--- Test report')[0].splitlines()
    passed, failures, test = 0, [], ''
    for number, line in enumerate(lines):
        if re.match(r'(action|match|group|meter): ', line):
            test = line.strip()
        check = re.match(r'    (\S.*?) +(OK|ERROR)$', line)
        if check and check[2] == 'OK':
            passed += 1
        elif check:
            reason = lines[number + 1].strip() if number + 1 < len(lines) else ''
            failures.append(f'{test}: {check[1]}\n        {reason[:200]}')
    print(f'{os.path.basename(path)}: {passed} passed, {len(failures)} failed')
    for failure in failures:
        print(f'    {failure}')
    everything[0] += passed
    everything[1] += len(failures)
print(f'{everything[0]} of {sum(everything)} checks passed')
sys.exit(0 if everything[0] and not everything[1] else 1)
