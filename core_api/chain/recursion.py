"""Importing eth-account and web3 without what they do to the depth of recursion."""

import importlib
import sys


def import_py_ecc() -> None:
    """Call before the first import of eth_account or web3, in the same thread.

    Both import py_ecc, which lifts Python's recursion limit to 100 000 for the whole process. With it, what a client
    nests deeply no longer ends in RecursionError but beyond the stack, and with it the node. Neither signing nor
    calling needs it. Seen with py_ecc 8.
    """
    limit = sys.getrecursionlimit()
    importlib.import_module("py_ecc")
    sys.setrecursionlimit(limit)
