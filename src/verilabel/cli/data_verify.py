"""To come."""

from verilabel.errors import ExitStatus, UsageError

SUMMARY = "to come"


def configure(parser): ...
def run(args):
    raise UsageError("to come")
