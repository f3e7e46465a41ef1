"""For LiteLLM's configuration: sends every row that its database would store of spend to the test, as it would be stored."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload


class SpendRows(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        # The very function whose result LiteLLM writes to its table LiteLLM_SpendLogs.
        row = get_logging_payload(kwargs=kwargs, response_obj=response_obj, start_time=start_time, end_time=end_time)
        await asyncio.to_thread(_send, json.dumps(row, default=str).encode())


def _send(row: bytes) -> None:
    request = urllib.request.Request(os.environ["SPEND_ROWS_TO"], row, {"X-Worker": str(os.getpid())})  # noqa: S310 - the test's own address
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - likewise
        pass


spend_rows = SpendRows()
