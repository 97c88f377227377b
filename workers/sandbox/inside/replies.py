"""What the judging process says to the worker, and what the worker answers while programs run on inputs."""

from __future__ import annotations

import struct

#: A report of a program; the batch is over; the tests do not run; the batch and its root are over; a run on one input.
REPORT, END, BROKEN, LAST, RAN = 1, 2, 3, 4, 5
#: The worker's answer to a run: go on with the next input, or with the next program.
GO_ON, NEXT_PROGRAM = 1, 2
#: A RAN message begins with the length of its JSON part; the rest is what the program printed.
RAN_HEAD = struct.Struct("<I")

#: The private folder of a batch root with namespaces.
SCRATCH = "/tmp"
