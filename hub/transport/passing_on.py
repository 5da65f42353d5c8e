"""Polls and POSTs for sessions of other nodes: how they are passed on, and what is told of those that fail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from hub.transport.engineio.addresses import peer_of
from hub.transport.engineio.packets import NOOP_FRAME, encode_payload
from hub.transport.engineio.refusals import BAD_REQUEST, Refused
from hub.transport.engineio.session import Reason, Session
from hub.transport.engineio.websocket import CloseCode
from hub.transport.forwarding.forwarder import OtherNode
from hub.transport.forwarding.hop import LOST
from hub.transport.forwarding.question import Answer, Question
from hub.transport.front import watched

METHODS: Final = ("GET", "POST")
"""Of requests for a session."""
PASSED_ON: Final = ("Host", "Origin")
"""Of the client's headers, what another node looks at."""


async def pass_on(request: web.Request, node: OtherNode, max_payload: int) -> web.Response:
    """Have another node answer. Raises Refused, HTTPRequestEntityTooLarge."""
    if request.method not in METHODS:
        raise Refused(BAD_REQUEST)
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    question = Question(request.method, request.path, request.query["sid"], peer_of(request.transport), headers)
    if request.method == "GET":
        answer = await _ask_for_poll(request, node, question)
    else:
        answer = await _ask_for_post(request, node, question, max_payload)
    response = web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})
    if node.forwarder.leaving:
        response.force_close()  # the next request is for a node that stays
    return response


async def _ask_for_poll(request: web.Request, node: OtherNode, question: Question) -> Answer:
    task = asyncio.current_task()

    def lost() -> None:
        node.tell(question.lost(Reason.TRANSPORT_CLOSE))  # the other node may not have got the poll yet
        if task is not None:
            task.cancel()

    with watched(request, lost):
        return await node.ask(question)


async def _ask_for_post(request: web.Request, node: OtherNode, question: Question, limit: int) -> Answer:
    """What has come whole counts, whether or not its client waits for the answer."""
    length = request.content_length
    try:
        if (length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, length or 0)
        return await node.ask(question, _body_of(request, limit))
    except (Refused, web.HTTPRequestEntityTooLarge):
        node.tell(question.lost(Reason.TRANSPORT_ERROR))  # it may have got nothing of this
        raise


def take_word(request: web.Request, session: Session) -> web.Response:
    """Do what another node says of a request that it has passed on. See hub.transport.forwarding.hop."""
    if reason := request.headers.get(LOST):
        session.close(reason, CloseCode.PROTOCOL_ERROR, drop=True)
    else:
        session.answer_poll(encode_payload([NOOP_FRAME]))
    return web.Response()


async def _body_of(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """A body as it comes, up to the first piece that is beyond the limit: the other node refuses it by that."""
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        yield chunk
        if size > limit:
            return
