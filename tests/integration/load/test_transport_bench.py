"""``bench transport`` against real servers, with few clients: every dialect of the load generator is understood."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from core_api.accounts.settings import AccountsSettings
from core_api.accounts.signing_key import load_or_create
from hub.config import Settings
from load_tests.bench.cache import COMPILERS
from load_tests.bench.errors import CannotMeasure
from load_tests.bench.processes import cores
from load_tests.bench.transport.backends import Backends
from load_tests.bench.transport.crowd import Crowd
from load_tests.bench.transport.generator import Generator, compile_generator
from load_tests.bench.transport.meter import Meter
from load_tests.bench.transport.servers import Hosts, Server
from tests.support.wait import until_sync
