"""Delivers alerts to a command or a webhook: one JSON object each, with a time limit, never twice."""

import shlex
import subprocess
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from predsurv.config.hosts import is_loopback
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.text import sanitise

SECONDS_MAX: Final = 10
"""How long a command or a webhook may take."""


def check_target(target: str) -> None:
    """Raise ConfigError unless ``target`` is a command line or the URL of a webhook that may be used."""
    parts = urlsplit(target)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError("--notify: http:// is for this machine only; use https://")
    if parts.scheme not in ("http", "https"):
        try:
            words = shlex.split(target)
        except ValueError as error:
            raise ConfigError(f"--notify: {error}; write a command line or a URL") from None
        if not words:
            raise ConfigError("--notify: expected a command line or a URL")


def deliver(target: str, body: bytes) -> None:
    """Hand ``body`` to a command on its stdin, or post it to a webhook; raises TransientError when that fails."""
    try:
        if urlsplit(target).scheme in ("http", "https"):
            request = urllib.request.Request(target, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - checked to be http(s)
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS_MAX):
                return
        subprocess.run(  # noqa: S603 - the user names the command, and no shell reads it
            shlex.split(target), input=body + b"\n", check=True, timeout=SECONDS_MAX, stdout=subprocess.DEVNULL
        )
    except subprocess.CalledProcessError as error:
        raise TransientError(f"--notify: the command ended with exit code {error.returncode}") from error
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"--notify: the command took longer than {SECONDS_MAX} s and was ended") from error
    except (OSError, urllib.error.URLError) as error:
        raise TransientError(f"--notify: {sanitise(str(error), 200)}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What was meant for one host is not sent to another."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow no redirection: it becomes an error."""
