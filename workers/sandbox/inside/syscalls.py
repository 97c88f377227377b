"""Which system calls a candidate may make: a list of the allowed, by name, with their numbers on two machines.

Whatever is not listed fails with EPERM (`clone3` with ENOSYS, so that libc falls back to `clone`); calls that no
honest program makes kill the process with SIGSYS, so that the attempt is seen even when the program hides it.
"""

from __future__ import annotations

import os

# name: (x86_64, aarch64); None where the machine has no such call.
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # files: Landlock and the mounts say which
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "lseek": (8, 62), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65),
    "writev": (20, 66), "access": (21, None), "dup": (32, 23), "dup2": (33, None), "sendfile": (40, 71),
    "flock": (73, 32), "fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46),
    "getdents": (78, None), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None),
    "mkdir": (83, None), "rmdir": (84, None), "unlink": (87, None), "readlink": (89, None), "umask": (95, 166),
    "statfs": (137, 43), "fstatfs": (138, 44), "getdents64": (217, 61), "fadvise64": (221, 223),
    "openat": (257, 56), "mkdirat": (258, 34), "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38),
    "readlinkat": (267, 78), "faccessat": (269, 48), "dup3": (292, 24), "preadv": (295, 69), "pwritev": (296, 70),
    "renameat2": (316, 276), "copy_file_range": (326, 285), "preadv2": (327, 286), "pwritev2": (328, 287),
    "statx": (332, 291), "close_range": (436, 436), "faccessat2": (439, 439),
    # waiting
    "poll": (7, None), "select": (23, None), "pause": (34, None), "nanosleep": (35, 101), "pselect6": (270, 72),
    "ppoll": (271, 73), "epoll_create": (213, None), "epoll_wait": (232, None), "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22), "epoll_create1": (291, 20), "epoll_pwait2": (441, 441), "eventfd2": (290, 19),
    "pipe": (22, None), "pipe2": (293, 59), "clock_nanosleep": (230, 115),
    # talk over descriptors it already has (an event loop wakes itself through a socket pair)
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205), "setsockopt": (54, 208), "getsockopt": (55, 209),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "msync": (26, 227), "madvise": (28, 233),
    # itself: signals' dispositions, threads, time, who am I
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "sched_yield": (24, 124), "getitimer": (36, 102),
    "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172), "exit": (60, 93), "wait4": (61, 260),
    "uname": (63, 160), "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165),
    "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175),
    "getegid": (108, 177), "getppid": (110, 173), "getpgrp": (111, None), "getgroups": (115, 158),
    "getresuid": (118, 148), "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156),
    "getpriority": (140, 141), "arch_prctl": (158, None), "setrlimit": (160, 164), "gettid": (186, 178),
    "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123), "set_tid_address": (218, 96),
    "restart_syscall": (219, 128), "clock_gettime": (228, 113), "clock_getres": (229, 114), "exit_group": (231, 94),
    "waitid": (247, 95), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "getcpu": (309, 168),
    "getrandom": (318, 278), "membarrier": (324, 283), "rseq": (334, 293), "futex_waitv": (449, 449),
}  # fmt: skip

# Allowed only with certain arguments; the filter spells the condition out.
CHECKED: dict[str, tuple[int | None, int | None]] = {
    "ioctl": (16, 29), "socketpair": (53, 199), "clone": (56, 220), "fcntl": (72, 25), "prctl": (157, 167),
    "prlimit64": (302, 261),
}  # fmt: skip

# No honest program makes these: tracing, mounts, namespaces, kernel modules, clocks, keys, raw kernel interfaces.
HOSTILE: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "syslog": (103, 116), "pivot_root": (155, 41), "adjtimex": (159, 171), "chroot": (161, 51),
    "acct": (163, 89), "settimeofday": (164, 170), "mount": (165, 40), "umount2": (166, 39), "swapon": (167, 224),
    "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162),
    "iopl": (172, None), "ioperm": (173, None), "init_module": (175, 105), "delete_module": (176, 106),
    "quotactl": (179, 60), "clock_settime": (227, 112), "kexec_load": (246, 104), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "clock_adjtime": (305, 266), "setns": (308, 268),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "finit_module": (313, 273),
    "kexec_file_load": (320, 294), "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount_setattr": (442, 442),
}  # fmt: skip

#: clone3 passes its flags by pointer, where a filter cannot look.
CLONE3 = 435

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINE = os.uname().machine


def numbers(table: dict[str, tuple[int | None, int | None]]) -> dict[str, int]:
    """name -> number on this machine. Raises KeyError on a machine whose numbers are not known."""
    column = {"x86_64": 0, "aarch64": 1}[MACHINE]
    return {name: number for name, row in table.items() if (number := row[column]) is not None}
