"""`tollway serve`: start everything, announce it, wait for a signal, stop everything."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from tollway.config import Settings
from tollway.data.session import Database, create_engine
from tollway.services.first_start import FirstKeys, first_start
from tollway.services.migrate import migrate
from tollway.services.secret_keys import load_secret_keys
from tollway.supervisor.lock import DataDirLock
from tollway.supervisor.tree import DatabaseUrls, ProcessTree
