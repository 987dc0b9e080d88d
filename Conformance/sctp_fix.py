#!/usr/bin/env python3
"""Makes a copy of os-ken's tester with a working SCTP checksum: sctp_fix.py TESTER.py COPY.py

os-ken computes the CRC over str(bytes), which in Python 3 is the text of the literal; so the 16 checks that set a port of
SCTP cannot be passed with the tester as it is published. The copy replaces that one function by CRC-32C (RFC 9260
appendix A).
"""
import sys

REPAIR = '''
from os_ken.lib.packet import sctp as _sctp


def _crc32c(self, data):
    import struct
    crc = 0xffffffff
    for byte in bytes(data):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return struct.unpack('!I', struct.pack('<I', crc ^ 0xffffffff))[0]


_sctp.sctp._checksum = _crc32c

'''

with open(sys.argv[1]) as file:
    source = file.read()
mark = source.index('# import all packet libraries.')
with open(sys.argv[2], 'w') as file:
    file.write(source[:mark] + REPAIR + source[mark:])
