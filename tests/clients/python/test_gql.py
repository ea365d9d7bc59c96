"""Python's gql over each of its transports: a query, a mutation, an error, and where it can, a subscription that resumes."""

import asyncio
import unittest
from importlib.metadata import version

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.requests import RequestsHTTPTransport
from gql.transport.websockets import WebsocketsTransport

from parlor import ROOT, Parlor, write_row

LIMIT_SECS = 30
# Each a request of its own: gql keeps the variables of one execution in the request for the next.
def me():
    return gql("query Me($with: Boolean = true) { me { id username @include(if: $with) } }")


POST = gql("mutation Post($room: ID!, $body: String!) { postMessage(roomId: $room, body: $body) { message { seq body } } }")
WRONG = gql("query Wrong($id: ID!) { user(id: $id) { id } }")
EVENTS = gql(
    """subscription Events($after: Cursor) { ...Root }
    fragment Root on Subscription { events(after: $after) { __typename cursor ... on MessagePosted { message { body } } } }"""
)


def setUpModule():
    global server, ann, room
    server = Parlor().__enter__()
    unittest.addModuleCleanup(server.__exit__)
    ann, bob = server.sign_up("ann"), server.sign_up("bob")
    room = server.open_room(ann["accessToken"], bob["user"]["id"])


def authorization():
    return {"authorization": f"Bearer {ann['accessToken']}"}


class Requests(unittest.TestCase):
    """By HTTP: the schema is fetched by introspection and documents are validated against it, as gql does if asked."""

    def check(self, order, name, transport):
        with Client(transport=transport, fetch_schema_from_transport=True) as session:
            self.assertEqual(session.execute(me())["me"]["username"], "ann")
            message = session.execute(POST, variable_values={"room": room, "body": name})["postMessage"]["message"]
            self.assertEqual(message["body"], name)
            with self.assertRaises(TransportQueryError) as raised:
                session.execute(WRONG, variable_values={"id": "nothing"})
        self.assertEqual(raised.exception.errors[0]["extensions"]["code"], "BAD_USER_INPUT")
        write_row(order, "gql", version("gql"), name, ["request", "errors"])

    def test_requests(self):
        self.check(200, "RequestsHTTPTransport", RequestsHTTPTransport(url=server.url, headers=authorization()))

    def test_httpx(self):
        self.check(201, "HTTPXTransport", HTTPXTransport(url=server.url, headers=authorization()))


class AsyncRequests(unittest.IsolatedAsyncioTestCase):
    """By HTTP, asynchronously."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def check(self, order, name, transport):
        async with Client(transport=transport, fetch_schema_from_transport=True) as session:
            self.assertEqual((await session.execute(me()))["me"]["username"], "ann")
            self.assertEqual((await session.execute(me(), variable_values={"with": False}))["me"].keys(), {"id"})
            with self.assertRaises(TransportQueryError) as raised:
                await session.execute(WRONG, variable_values={"id": "nothing"})
        self.assertEqual(raised.exception.errors[0]["extensions"]["code"], "BAD_USER_INPUT")
        write_row(order, "gql", version("gql"), name, ["request", "errors"])

    async def test_aiohttp(self):
        await self.check(202, "AIOHTTPTransport", AIOHTTPTransport(url=server.url, headers=authorization()))

    async def test_httpx(self):
        await self.check(203, "HTTPXAsyncTransport", HTTPXAsyncTransport(url=server.url, headers=authorization()))


class Sockets(unittest.IsolatedAsyncioTestCase):
    """By WebSocket, in both dialects."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def check(self, order, name, transport, dialect):
        schema = (ROOT / "schema.graphql").read_text()
        await asyncio.wait_for(self.use(transport(), transport(), schema, dialect), LIMIT_SECS)
        write_row(order, "gql", version("gql"), f"{name}, {dialect}", ["request", "subscribe", "resume", "errors"])

    async def use(self, transport, later, schema, dialect):
        async with Client(transport=transport, schema=schema) as session:
            chosen = {name.lower(): value for name, value in transport.response_headers.items()}
            self.assertEqual(chosen["sec-websocket-protocol"], dialect)
            self.assertEqual((await session.execute(me()))["me"]["username"], "ann")
            with self.assertRaises(TransportQueryError) as raised:
                await session.execute(WRONG, variable_values={"id": "nothing"})
            self.assertEqual(raised.exception.errors[0]["extensions"]["code"], "BAD_USER_INPUT")
            # Said, since gql keeps the variables of the document's last use otherwise.
            cursor = await self.receive(session, {"after": None}, "first")
        await asyncio.to_thread(server.post, ann["accessToken"], room, "missed")
        async with Client(transport=later, schema=schema) as session:
            await self.receive(session, {"after": cursor}, None, wanted="missed")

    async def receive(self, session, variables, posted, wanted=None):
        """The cursor of the event that the post makes; without a post, of the one that was missed."""
        async for data in session.subscribe(EVENTS, variable_values=variables):
            event = data["events"]
            if event["__typename"] == "Synced" and posted:
                await asyncio.to_thread(server.post, ann["accessToken"], room, posted)
            elif event["__typename"] == "MessagePosted":
                self.assertEqual(event["message"]["body"], wanted or posted)
                return event["cursor"]
        self.fail("the subscription has ended")

    async def test_websockets(self):
        # It would offer both dialects, and looks for the chosen one under `Sec-WebSocket-Protocol` in this case alone,
        # where HTTP knows no case: offered one, it need not look.
        transport = lambda: WebsocketsTransport(
            url=server.socket_url, init_payload=authorization(), subprotocols=["graphql-transport-ws"]
        )
        await self.check(204, "WebsocketsTransport", transport, "graphql-transport-ws")

    async def test_websockets_in_the_older_dialect(self):
        transport = lambda: WebsocketsTransport(url=server.socket_url, init_payload=authorization(), subprotocols=["graphql-ws"])
        await self.check(205, "WebsocketsTransport", transport, "graphql-ws")

    async def test_aiohttp_websockets(self):
        transport = lambda: AIOHTTPWebsocketsTransport(
            url=server.socket_url, init_payload=authorization(), subprotocols=["graphql-transport-ws"]
        )
        await self.check(206, "AIOHTTPWebsocketsTransport", transport, "graphql-transport-ws")

    async def test_aiohttp_websockets_as_they_are(self):
        # It offers the older dialect first, and the first that is spoken is chosen.
        transport = lambda: AIOHTTPWebsocketsTransport(url=server.socket_url, init_payload=authorization())
        await self.check(208, "AIOHTTPWebsocketsTransport, as it is", transport, "graphql-ws")

    async def test_aiohttp_websockets_in_the_older_dialect(self):
        transport = lambda: AIOHTTPWebsocketsTransport(url=server.socket_url, init_payload=authorization(), subprotocols=["graphql-ws"])
        await self.check(207, "AIOHTTPWebsocketsTransport", transport, "graphql-ws")


if __name__ == "__main__":
    unittest.main()
