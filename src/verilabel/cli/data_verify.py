"""To come."""

from verilabel.errors import UsageError

SUMMARY = "to come"


def configure(parser): ...
def run(args):
    raise UsageError("to come")
