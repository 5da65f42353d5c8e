"""The user the embedded servers run as: PostgreSQL refuses root, so root needs a stand-in."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_NAMESPACE_UID = 65534  # any uid but 0 would do; this one is "nobody" in most listings


@dataclass(frozen=True)
class Identity:
    """Who a server process is. `uid` and `gid` are the owner its files must have, seen from outside."""

    uid: int
    gid: int
    kind: str
    """`self` (as we are), `other user` (setuid) or `namespace` (still us, but not root to itself)."""

    @property
    def shim_keys(self) -> tuple[str, ...]:
        """This identity in the words of `exec_shim`."""
        match self.kind:
            case "other user":
                return (f"uid={self.uid}", f"gid={self.gid}")
            case "namespace":
                return (f"namespace={_NAMESPACE_UID}",)
            case _:
                return ()

    def own(self, folder: Path) -> None:
        """Give `folder` and all in it to this identity, if somebody else has it (the kinds can alternate).

        The folder itself comes last: an interrupted change is seen as unfinished and done again.
        """
        if os.geteuid() != 0 or folder.stat().st_uid == self.uid:
            return
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(os.path.join(parent, name), self.uid, self.gid, follow_symlinks=False)
        os.chown(folder, self.uid, self.gid)


def choose_identity(*must_reach: Path) -> Identity:
    """Ourselves; as root `nobody`, or a user namespace where nobody cannot get at one of `must_reach`.

    The second happens when the project lies in a private folder such as /root.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), "self")
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Identity(0, 0, "namespace")
    if all(_is_open_to_others(path) for path in must_reach):
        return Identity(nobody.pw_uid, nobody.pw_gid, "other user")
    return Identity(0, 0, "namespace")


def _is_open_to_others(path: Path) -> bool:
    """Whether any user may pass through every folder above `path` and execute (or enter) it."""
    resolved = path.resolve()
    if not resolved.exists():
        return True  # whoever uses it will say so better
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))
