"""The stack of a process that loads documents."""

import resource

STACK_BYTES = 64 << 20


def deepen_stack() -> None:
    """Let the main thread's stack grow to 64 MiB.

    Yrs deletes nested shared types by recursion, and clients can nest them with small updates: with the usual 8 MiB,
    some 20,000 levels crash the process; with 64 MiB, 160,000 levels did not.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
