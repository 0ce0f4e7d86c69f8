"""What the first process of a sandbox gives up, for itself and for all that it starts, before any stranger's code runs.

In this order: resource limits, processors, user, capabilities, the judge's keys, files and network (Landlock), system
calls (seccomp).
"""

import contextlib
import ctypes
import os
import signal
import struct
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24

# An allow list: whatever a later kernel brings stays closed. Python, torch, threads and child processes need these.
# Left out on purpose: the keyrings, System V and POSIX message queues, memory that no limit counts (memfd, System V),
# sockets but for pairs, namespaces and mounts, other processes' memory, other users, bpf, io_uring, perf, processors,
# priorities.
SYSTEM_CALLS = """
    access chdir chmod close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
    fchdir fchmod fchmodat fchmodat2 fcntl fdatasync fgetxattr flistxattr flock fstat fstat64 fstatfs fsync ftruncate
    futimesat getcwd getdents getdents64 getxattr ioctl lgetxattr link linkat listxattr llistxattr lseek lstat mkdir
    mkdirat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
    readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat sync
    tee truncate umask unlink unlinkat utime utimensat utimes write writev

    brk madvise mincore mlock mmap mprotect mremap msync munlock munmap membarrier

    arch_prctl capget execve exit exit_group fork futex futex_waitv get_robust_list getcpu getegid geteuid getgid
    getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid
    kill nanosleep pause pidfd_open prctl prlimit64 restart_syscall rseq sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getparam sched_getscheduler sched_yield set_robust_list set_tid_address setpgid setrlimit
    setsid sysinfo tgkill times tkill uname vfork wait4 waitid

    alarm clock_getres clock_gettime clock_nanosleep getitimer getrandom gettimeofday rt_sigaction rt_sigpending
    rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait setitimer sigaltstack signalfd4 time timer_create
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime

    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 poll ppoll pselect6 select
    getpeername getsockname getsockopt recvfrom recvmsg sendmsg sendto setsockopt shutdown socketpair
""".split()
NEW_NAMESPACES = 0x7E020000  # the flags of clone that make one


def confine(limits, processors, landlock, filtered, user_id=None):
    """Give up everything at once. Returns {"landlock": ABI or 0, "seccomp": bool, "keyring": bool}: what holds.

    limits: by their names in the module resource. processors: numbers, or None for all. landlock: the arguments of
    restrict_files, or None. filtered: whether to filter system calls. user_id: whom root becomes, if anybody.
    """
    limit_resources(limits)
    if sys.platform != "linux":
        return {"landlock": 0, "seccomp": False, "keyring": False}
    if processors:
        os.sched_setaffinity(0, processors)
    if user_id is not None:
        become(user_id)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if filtered:
        drop_capabilities()
    keyring = filtered and leave_keyring()
    abi = restrict_files(**landlock) if landlock else 0
    return {"landlock": abi, "seccomp": filtered and filter_system_calls(), "keyring": keyring}


def limit_resources(limits):
    """Set resource limits by their names in the module resource: {"AS": bytes, ...}."""
    import resource

    for name, value in limits.items():
        limit = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def become(user_id):
    """For good another user, in no group but one of that number."""
    drop_bounds()  # while it may
    os.setgroups([])
    os.setresgid(user_id, user_id, user_id)
    os.setresuid(user_id, user_id, user_id)


def end_all_of(user_id):
    """Kill all that runs as a user, from root, which this process gives up for it; none can stop or kill it first.

    Its effective id lets it signal them. What they may signal goes by its real and its saved id: the next number, which
    nobody else has (claims.py).
    """
    drop_bounds()
    os.setgroups([])
    os.setresgid(user_id + 1, user_id + 1, user_id + 1)
    os.setresuid(user_id + 1, user_id, user_id + 1)
    with contextlib.suppress(ProcessLookupError):  # there is none
        os.kill(-1, signal.SIGKILL)


def drop_bounds():
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # an error for those that the kernel does not know


def drop_capabilities():
    """For good, as root as well: with them, other processes' environments could be read past Landlock."""
    drop_bounds()
    version_3 = struct.pack("Ii", 0x20080522, 0)
    if LIBC.capset(version_3, bytes(24)):
        raise OSError(ctypes.get_errno(), "the capabilities could not be dropped")


def leave_keyring():
    """Join a new, empty session keyring, in place of the judge's. Whether the kernel has keyrings at all."""
    numbers = {"x86_64": 250, "aarch64": 219}  # of keyctl
    join_session_keyring = 1
    number = numbers.get(os.uname().machine)
    return number is not None and LIBC.syscall(number, join_session_keyring, None) >= 0


def restrict_files(readable, writable):
    """Landlock: from now on, no file but what lies below these paths. Returns the ABI, 0 where there is none.

    Since ABI 4 also no TCP, since ABI 6 no signals to processes outside.
    https://docs.kernel.org/userspace-api/landlock.html
    """
    create_ruleset, add_rule, restrict_self = 444, 445, 446  # system calls, the same on every architecture
    if (abi := LIBC.syscall(create_ruleset, None, 0, 1)) < 1:
        return 0
    execute, write_file, read_file, read_dir = 1, 2, 4, 8
    n_rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)  # rights on files that the kernel knows
    everything = 2**n_rights - 1
    attributes = struct.pack("QQQ", everything, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = LIBC.syscall(create_ruleset, attributes[:size], size, 0)
    for path, rights in [(p, execute | read_file | read_dir) for p in readable] + [(p, everything) for p in writable]:
        if not Path(path).exists():
            continue
        if not Path(path).is_dir():
            rights &= execute | write_file | read_file
        parent = os.open(path, os.O_PATH)
        if LIBC.syscall(add_rule, ruleset, 1, struct.pack("=Qi", rights, parent), 0):
            raise OSError(ctypes.get_errno(), f"Landlock refused the path {path}")
        os.close(parent)
    if LIBC.syscall(restrict_self, ruleset, 0):
        raise OSError(ctypes.get_errno(), "Landlock refused the ruleset")
    os.close(ruleset)
    return abi


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp: (argument & mask) == value."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64)]


def filter_system_calls():
    """seccomp: from now on every system call but SYSTEM_CALLS is "not implemented". False where there is no libseccomp.

    https://man7.org/linux/man-pages/man3/seccomp_rule_add.3.html
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    allow, not_implemented, masked_equal = 0x7FFF0000, 0x00050000 | 38, 7
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(not_implemented)))
    resolve = library.seccomp_syscall_resolve_name
    numbers = {name: resolve(name.encode()) for name in SYSTEM_CALLS}  # below 0: not on this architecture
    failed = [n for n in numbers.values() if n >= 0 and library.seccomp_rule_add(context, allow, n, 0)]
    # Threads and forks, but no namespaces. clone3, whose flags a filter cannot see, makes glibc fall back to this.
    no_namespace = Comparison(0, masked_equal, NEW_NAMESPACES, 0)
    clone = library.seccomp_rule_add_array(context, allow, resolve(b"clone"), 1, ctypes.byref(no_namespace))
    if failed or clone or library.seccomp_load(context):
        raise OSError("the filter of system calls was refused")
    library.seccomp_release(context)
    return True


if __name__ == "__main__":
    end_all_of(int(sys.argv[1]))
