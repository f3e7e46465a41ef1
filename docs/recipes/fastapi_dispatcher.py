"""A dispatcher of one's own. Run it: UPSTREAM=http://127.0.0.1:8000 uvicorn fastapi_dispatcher:app --port 8300."""
# ruff: noqa: D103, INP001

import os

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from hermes_hints import Record
from hermes_hints.receive import read

app = FastAPI()
upstream = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], timeout=600)


def chosen(record: Record, asked: str) -> str:
    if record.user_intent == "force-cloud":
        return "cloud-large"
    return asked if record.purpose in (None, "main", "subagent") else "local-small"


@app.post("/v1/{path:path}")
async def dispatch(path: str, request: Request) -> StreamingResponse:
    body = await request.json()
    body["model"] = chosen(read(request.headers, body), body["model"])
    body.pop("hermes", None)  # the model server need not know who asks
    pairs = {key: value for key, value in (body.pop("metadata", None) or {}).items() if not key.startswith("hermes_")}
    if pairs:
        body["metadata"] = pairs
    headers = {"authorization": request.headers.get("authorization", ""), "accept-encoding": "identity"}
    sent = upstream.build_request("POST", f"/v1/{path}", json=body, headers=headers)
    answer = await upstream.send(sent, stream=True)
    told = {"content-type": answer.headers["content-type"], "x-hermes-hints": "v=1"}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, told, background=BackgroundTask(answer.aclose))
