"""ariadne-codegen's client, generated from schema.graphql, and sgqlc: what they make works on a running Parlor."""

import asyncio
import importlib
import subprocess
import sys
import tempfile
import unittest
from importlib.metadata import version
from pathlib import Path

from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.endpoint.websocket import WebSocketEndpoint

from parlor import PASSWORD, ROOT, Parlor, write_row

LIMIT_SECS = 60
CONFIG = """
[tool.ariadne-codegen]
schema_path = "{root}/schema.graphql"
queries_path = "{root}/tests/clients/suites/documents"
target_package_name = "generated_parlor"
client_name = "ParlorClient"

[tool.ariadne-codegen.scalars.Cursor]
type = "str"

[tool.ariadne-codegen.scalars.DateTime]
type = "datetime.datetime"
"""


def setUpModule():
    global server
    server = Parlor().__enter__()
    unittest.addModuleCleanup(server.__exit__)


class AriadneCodegen(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def test_its_client_signs_up_posts_and_subscribes(self):
        with tempfile.TemporaryDirectory(prefix="parlor-ariadne-") as directory:
            config = Path(directory) / "pyproject.toml"
            config.write_text(CONFIG.format(root=ROOT))
            generator = Path(sys.executable).with_name("ariadne-codegen")
            subprocess.run([generator, "--config", config], cwd=directory, check=True, timeout=LIMIT_SECS, stdout=subprocess.DEVNULL)
            sys.path.insert(0, directory)
            self.addCleanup(sys.path.remove, directory)
            await asyncio.wait_for(self.use(importlib.import_module("generated_parlor")), LIMIT_SECS)

    async def use(self, generated):
        anonymous = generated.ParlorClient(url=server.url)
        person = lambda name: generated.SignUpInput(username=name, password=PASSWORD, displayName=name)
        ann = (await anonymous.sign_up(input=person("ann"))).sign_up
        bob = (await anonymous.sign_up(input=person("bob"))).sign_up
        authorization = {"authorization": f"Bearer {ann.access_token}"}
        client = generated.ParlorClient(
            url=server.url, headers=authorization, ws_url=server.socket_url, ws_connection_init_payload=authorization
        )
        chat = (await client.initiate_chat(user_ids=[bob.user.id], type_=generated.RoomType.CONSUMER_TO_CONSUMER)).initiate_chat
        received = []
        async for data in client.events():
            event = data.events
            received.append(event.typename__)
            if event.typename__ == "Synced":
                await client.post_message(room_id=chat.room.id, body="hello")
            elif event.typename__ == "MessagePosted":
                self.assertEqual((event.message.body, event.message.author.display_name), ("hello", "ann"))
                break
        self.assertEqual(received, ["Synced", "MessagePosted"])
        with self.assertRaises(generated.GraphQLClientGraphQLMultiError) as raised:
            await anonymous.rooms()
        self.assertEqual(raised.exception.errors[0].extensions["code"], "UNAUTHENTICATED")
        write_row(210, "ariadne-codegen", version("ariadne-codegen"), "HTTP and WebSocket", ["request", "subscribe", "errors"])


class Sgqlc(unittest.TestCase):
    def setUp(self):
        self.token = server.sign_up("cay")["accessToken"] if not hasattr(Sgqlc, "token") else Sgqlc.token
        Sgqlc.token = self.token

    def test_by_http(self):
        endpoint = HTTPEndpoint(server.url, {"authorization": f"Bearer {self.token}"})
        self.assertEqual(endpoint("{ me { username } }")["data"]["me"]["username"], "cay")
        self.assertEqual(endpoint("{ user(id: \"nothing\") { id } }")["errors"][0]["extensions"]["code"], "BAD_USER_INPUT")
        write_row(211, "sgqlc", version("sgqlc"), "HTTP", ["request", "errors"])

    def test_by_websocket_in_the_older_dialect(self):
        payload = {"authorization": f"Bearer {self.token}"}
        endpoint = WebSocketEndpoint(server.socket_url, connection_payload=payload, timeout=LIMIT_SECS)
        answers = endpoint("{ me { username } }")
        self.assertEqual(next(answers)["data"]["me"]["username"], "cay")
        events = endpoint("subscription { events { __typename } }")
        self.assertEqual(next(events)["data"]["events"]["__typename"], "Synced")
        events.close()
        write_row(212, "sgqlc", version("sgqlc"), "WebSocket, graphql-ws", ["request", "subscribe"])


if __name__ == "__main__":
    unittest.main()
