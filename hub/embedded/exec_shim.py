"""Child side of `spawn`: become the right user, tie our life to the launcher's, then exec the real program.

Run as `python -I -S exec_shim.py key=value … -- program argument …`: isolated and without site, it costs about
20 ms. Popen's preexec_fn would be faster but turns every error into "Exception occurred in preexec_fn".
An error is written to the descriptor `report`, which closes by itself when the exec succeeds.

Keys: report (descriptor), parent (pid), signal (number sent to us when the parent dies), and either
uid + gid (user to become) or namespace (uid to appear as, in a user namespace of our own).
"""

import ctypes  # here, not where it is used: after setuid Python's own folder may be out of reach
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
EXIT_NOT_STARTED = 127  # what shells use for "could not be executed"


def become(uid: int, gid: int) -> None:
    """Give up root for good: groups first, because afterwards we may not change them."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def enter_user_namespace(inside_uid: int) -> None:
    """Look like `inside_uid` to ourselves while files still see the user we are.

    PostgreSQL refuses to run as root; here it finds itself to be somebody else. unshare(2), user_namespaces(7).
    """
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"no user namespace can be made here ({os.strerror(code)})")
    for name, text in (
        ("uid_map", f"{inside_uid} {outside_uid} 1"),
        ("setgroups", "deny"),  # the kernel demands it before an unprivileged gid_map
        ("gid_map", f"{inside_uid} {outside_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def die_with(parent: int, signal_number: int) -> None:
    """Get `signal_number` when the launcher's thread ends, even by SIGKILL. Last step: setuid would clear it."""
    if sys.platform != "linux":
        return  # no such call elsewhere: there an orphan is only noticed by the next start
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before prctl: nobody would ever tell us
        sys.exit(EXIT_NOT_STARTED)


def main(arguments: list[str]) -> None:
    """Carry out the keys before `--`, then turn into what follows it. Returns only by exiting."""
    split = arguments.index("--")
    keys = dict(argument.split("=", 1) for argument in arguments[:split])
    program = arguments[split + 1 :]
    report = int(keys["report"])
    os.set_inheritable(report, False)
    # Python ignores these two, and an ignored signal stays ignored across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        if "uid" in keys:
            become(int(keys["uid"]), int(keys["gid"]))
        elif "namespace" in keys:
            enter_user_namespace(int(keys["namespace"]))
        die_with(int(keys["parent"]), int(keys["signal"]))
        os.execv(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(report, f"cannot start {program[0]}: {error.strerror or error}".encode())
        sys.exit(EXIT_NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
