"""Posting alarms to a program on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from fuseline.serving.monitor.settings import WebhookSettings
from fuseline.serving.monitor.source import refuse_other_machines

# Seconds before the second try; each further one waits twice as long.
_FIRST_WAIT = 0.2


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """An alarm goes where the settings say, and nowhere else."""


class Webhook:
    """Posts.

    Args:
        settings: where to.

    Raises:
        ConfigError: the URL is not of this machine.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self.settings = settings
        if settings.url is not None:
            refuse_other_machines("webhook.url", settings.url)
        self._opener = build_opener(ProxyHandler({}), _NoRedirect)

    def post(self, alarm: Mapping[str, Any]) -> str:
        """Post one, trying a few times; empty where it was taken, else why not. The same alarm may
        come twice after a kill: its `id` is the same then."""
        assert self.settings.url is not None  # nobody posts to nowhere
        content = json.dumps(alarm, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        wait, why = _FIRST_WAIT, ""
        for number in range(self.settings.tries):
            if number:
                time.sleep(wait)
                wait *= 2
            try:
                request = Request(self.settings.url, content, headers)
                with self._opener.open(request, timeout=self.settings.timeout_seconds):
                    return ""
            except (URLError, OSError) as error:
                why = str(error)
        return why
