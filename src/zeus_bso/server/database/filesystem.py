"""Detects the kind of file system of a path."""

from __future__ import annotations

from pathlib import Path

_NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb2",
        "smb3",
        "smbfs",
    }
)


def is_network_file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a path is on a file system that several machines share.

    Args:
        path: A file, which need not exist.
        mounts: The kernel's table of mounts. If there is no such table, the answer is no.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return False
    target = path.resolve()
    best, kind = 0, ""
    for line in lines:
        _, mount_point, file_system, *_ = line.split(" ")
        mount_point = mount_point.replace("\\040", " ")
        if target.is_relative_to(mount_point) and len(mount_point) >= best:
            best, kind = len(mount_point), file_system
    return kind in _NETWORK_FILE_SYSTEMS
