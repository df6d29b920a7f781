# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program as on a kernel that has no IPv6, or by a unit with RestrictAddressFamilies=AF_INET:

    no_ipv6.py PROGRAM ARGUMENT...
"""

import ctypes
import errno
import os
import socket
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EQUAL = 4


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def forbid():
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(ALLOW)))
    number = lib.seccomp_syscall_resolve_name(b"socket")
    family = Comparison(0, EQUAL, socket.AF_INET6, 0)
    if (lib.seccomp_rule_add_array(context, ctypes.c_uint32(ERRNO | errno.EAFNOSUPPORT), number,
                                   ctypes.c_uint(1), ctypes.byref(family)) != 0
            or lib.seccomp_load(context) != 0):
        sys.exit("the kernel takes no filter of system calls")


if __name__ == "__main__":
    forbid()
    os.execvp(sys.argv[1], sys.argv[1:])
