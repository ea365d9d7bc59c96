"""A Parlor of its own for a test: the real binary on SQLite, in a directory that goes away with it."""

import json
import os
import re
import subprocess
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("PARLOR_BINARY", str(ROOT / "target/debug/parlor"))
RESULTS = ROOT / "tests/clients/results"
PASSWORD = "correct horse battery"


class Parlor:
    """Starts with `with`, and ends there."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="parlor-python-")
        own = {name: value for name, value in os.environ.items() if not name.startswith("PARLOR_")}
        settings = {
            "PARLOR_LISTEN": "127.0.0.1:0",
            "PARLOR_DATA_DIR": self.directory.name,
            "PARLOR_LIMITS": "off",
            "PARLOR_DRAIN_SECS": "0",
        }
        self.log = open(Path(self.directory.name) / "log", "w+")
        self.process = subprocess.Popen(
            [BINARY, "serve"], cwd=self.directory.name, env={**own, **settings}, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            if address := re.search(r"listening on (\S+)", line):
                self.address = address[1].removeprefix("http://").rstrip("/")
                break
        else:
            raise RuntimeError(f"the server did not start:\n{self.written()}")
        self.url = f"http://{self.address}/graphql"
        self.socket_url = f"ws://{self.address}/graphql"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.directory.cleanup()

    def written(self):
        """What the server has logged."""
        self.log.flush()
        return Path(self.log.name).read_text()

    def ask(self, query, variables=None, token=None):
        """The data of one operation; an error of the server is one of the test."""
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def sign_up(self, username):
        query = "mutation ($input: SignUpInput!) { signUp(input: $input) { accessToken user { id } } }"
        return self.ask(query, {"input": {"username": username, "password": PASSWORD, "displayName": username}})["signUp"]

    def open_room(self, token, user):
        query = "mutation ($ids: [ID!]!) { initiateChat(userIds: $ids, type: CONSUMER_TO_CONSUMER) { room { id } } }"
        return self.ask(query, {"ids": [user]}, token)["initiateChat"]["room"]["id"]

    def post(self, token, room, body):
        query = "mutation ($room: ID!, $body: String!) { postMessage(roomId: $room, body: $body) { message { seq } } }"
        return self.ask(query, {"room": room, "body": body}, token)["postMessage"]["message"]["seq"]


def write_row(order, client, version, transport, works, notes=()):
    """A row of the table of Python's clients in docs/clients.md: what the tests saw work."""
    row = {"order": order, "client": client, "version": version, "transport": transport, "works": works, "notes": list(notes), "lines": []}
    name = re.sub(r"[^A-Za-z0-9-]+", "_", f"{client}-{transport}")
    write("python", f"{order:03}-{name}", row)


def write_suite(order, suite, version, printed):
    """A row of the table of suites there: what it found."""
    name = re.sub(r"[^A-Za-z0-9-]+", "_", suite)
    row = {"order": order, "suite": suite, "version": version, "printed": printed}
    write("suites", f"{order:03}-{name}", row)
    print(f"{suite} {version}: {printed}")


def write(table, name, row):
    (RESULTS / table).mkdir(parents=True, exist_ok=True)
    (RESULTS / table / f"{name}.json").write_text(json.dumps(row, indent=2) + "\n")
